//! Who types: the claims of a token that GitLab signed for this job. Variables, which anybody with a trigger can set, are not asked.
//!
//! Source: GitLab `doc/ci/secrets/id_token_authentication.md`: RS256, the keys at `/oauth/discovery/keys`.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use crate::fleet::config::Chat;

/// Somebody whose job this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: u64,
    pub login: String,
}

/// What is asked of a token.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    user_id: String,
    user_login: String,
    project_path: String,
    ref_protected: String,
    pipeline_source: String,
}

/// The keys with which that GitLab signs now.
pub async fn fetch_keys(chat: &Chat) -> Result<JwkSet, String> {
    crate::gitlab::get_json(&format!("{}/oauth/discovery/keys", address(chat))).await
}

/// Verifies a token at a time, and says whose it is.
pub fn verify(token: &str, keys: &JwkSet, chat: &Chat) -> Result<Person, String> {
    let header = decode_header(token).map_err(|_| "the token cannot be read".to_owned())?;
    // Whatever the token says: nothing else is ever tried.
    if header.alg != Algorithm::RS256 {
        return Err("the token is not signed with RS256".to_owned());
    }
    let key = header.kid.as_deref().and_then(|id| keys.find(id));
    let key = key.ok_or_else(|| "GitLab does not know the key of the token".to_owned())?;
    let key = DecodingKey::from_jwk(key).map_err(|_| "GitLab's key cannot be used".to_owned())?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[&chat.audience]);
    validation.set_issuer(&[address(chat)]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    validation.validate_nbf = true;
    let claims = decode::<Claims>(token, &key, &validation);
    let claims = claims
        .map_err(|error| format!("the token is refused: {error}"))?
        .claims;
    let wanted = [
        (
            "project_path",
            claims.project_path.as_str(),
            chat.project.as_str(),
        ),
        ("ref_protected", claims.ref_protected.as_str(), "true"),
        ("pipeline_source", claims.pipeline_source.as_str(), "chat"),
    ];
    for (claim, found, wanted) in wanted {
        if found != wanted {
            return Err(format!("`{claim}` of the token is not `{wanted}`"));
        }
    }
    let id = claims.user_id.parse();
    Ok(Person {
        id: id.map_err(|_| "`user_id` of the token is no number".to_owned())?,
        login: claims.user_login,
    })
}

fn address(chat: &Chat) -> &str {
    chat.gitlab.trim_end_matches('/')
}
