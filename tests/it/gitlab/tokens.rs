//! Tokens of jobs that chat started, as a GitLab of ours signs them.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Made for these tests, and for nothing else.
const KEY: &[u8] = include_bytes!("throwaway-key.der");
/// Its public half.
const MODULUS: &str = "3adEqonOLKPlBnXTCzMcNvfk-x1HO9NufqR-X3zenyZE85D-GQGeo3r-BDPMvwYtVVf43Bl4_Wt2pJkYqzoZcqxoCdt_UBIF3wZFvHYlxK01xf3TXGNY7vnfK2jpUaeHSwTlZqh5wy63z5eg3HJzqHGwVMs0ESOxiiP7p0-3C3UByI-PKD5D-R95Bl1rXZ_09bIg7oZBuRCM9CQbrv5mgTL1vyGSNOmTr_Sb9wVeAa52VHg_mGLsjQ_RhqUig21SgF-SmYTXWEerHGrY73y2mR9XRjheK9r4P3N0e7m4nMfZGtmmbjfBNrup2-KpgNBYBc3x4tR4oFUdAwwC_fejKw";

/// With which it signs: what it answers at `/oauth/discovery/keys`.
pub fn keys() -> Value {
    json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": MODULUS, "e": "AQAB"}]})
}

/// What the GitLab at `root` says of a job of the project `ops/fleet`.
pub fn claims(root: &str, login: &str, id: u64) -> Value {
    json!({
        "iss": root, "aud": "escale", "exp": 4_000_000_000_u64, "user_id": id.to_string(), "user_login": login,
        "project_path": "ops/fleet", "ref_protected": "true", "pipeline_source": "chat",
    })
}

pub fn token(claims: &Value) -> String {
    signed(claims, Algorithm::RS256, "one")
}

pub fn signed(claims: &Value, algorithm: Algorithm, key: &str) -> String {
    let mut header = Header::new(algorithm);
    header.kid = Some(key.to_owned());
    let secret = match algorithm {
        Algorithm::HS256 => EncodingKey::from_secret(MODULUS.as_bytes()),
        _ => EncodingKey::from_rsa_der(KEY),
    };
    jsonwebtoken::encode(&header, claims, &secret).expect("it can be signed")
}
