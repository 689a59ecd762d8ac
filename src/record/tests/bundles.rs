//! Bundles, in parts that are collected when nobody names them any more.

use super::*;

fn bundle(objects: usize, filling: &str) -> Bundle {
    let manifests = (0..objects).map(|index| {
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("c-{index}"), "namespace": "jp-carbone"},
            "data": {"text": format!("{filling}{index}")}});
        Manifest::from_value(value).unwrap()
    });
    Bundle::new(manifests.collect()).unwrap()
}

#[test]
fn a_bundle_is_one_immutable_part_named_by_its_digest() {
    let bundle = bundle(3, "x");
    let packed = PackedBundle::of(&bundle);
    assert_eq!(*packed.digest(), bundle.digest());
    assert!(packed.objects().iter().eq(bundle.objects()));
    let parts = packed.parts();
    assert_eq!(parts.len(), 1);
    let name = format!("{}.0", bundle.digest().as_name());
    assert_eq!(parts[0]["metadata"]["name"], name);
    assert_eq!(parts[0]["immutable"], true);
    let read = decode_bundle(packed.digest(), &parts).unwrap();
    assert_eq!(read, packed);
    assert_eq!(read.unpack(), bundle);
}

/// Text that does not pack well.
fn noise(bytes: usize) -> String {
    let mut reader = blake3::Hasher::new().finalize_xof();
    let mut noise = vec![0; bytes / 2];
    reader.fill(&mut noise);
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
    noise
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[test]
fn an_enormous_bundle_is_cut_into_parts_and_put_together_in_any_order() {
    let bundle = bundle(1, &noise(3_200_000));
    let packed = PackedBundle::of(&bundle);
    let mut parts = packed.parts();
    assert!(1 < parts.len(), "{}", parts.len());
    for part in &parts {
        let size = part["binaryData"]["bundle"].as_str().unwrap().len();
        assert!(size < 1024 * 1024, "{size}");
    }
    parts.reverse();
    assert_eq!(decode_bundle(packed.digest(), &parts).unwrap(), packed);
    parts.pop();
    let missing = decode_bundle(packed.digest(), &parts).unwrap_err();
    assert!(missing.to_string().ends_with(".0` is missing"), "{missing}");
}

#[test]
fn a_bundle_that_is_not_what_its_name_says_is_refused() {
    let other = PackedBundle::of(&bundle(2, "evil"));
    let wanted = bundle(2, "x").digest();
    let mut parts = other.parts();
    parts[0]["metadata"]["name"] = format!("{}.0", wanted.as_name()).into();
    let error = decode_bundle(&wanted, &parts).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "bundle `{wanted}` cannot be used: its content has the digest `{}`",
            other.digest()
        )
    );
    parts[0]["binaryData"]["bundle"] = "AAAA".into();
    let error = decode_bundle(&wanted, &parts).unwrap_err().to_string();
    assert!(error.contains("does not unpack"), "{error}");
}

#[test]
fn parts_are_collected_only_when_old_and_named_by_no_record() {
    let part = |name: &str, minute: i64| StoredPart {
        name: format!("{}.0", digest(name).as_name()),
        bundle: digest(name),
        created: at(minute),
    };
    let mut claimed = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    claimed.hold = Some(Hold {
        digest: Some(digest("H")),
        ..held()
    });
    let parts = ["A", "B", "C", "H", "old"].map(|name| part(name, 0));
    let now = at(24 * 60 + 1);
    let unreferenced = unreferenced_parts(&parts, [&claimed], now);
    assert_eq!(unreferenced, [part("old", 0).name]);
    assert!(unreferenced_parts(&[part("young", 2)], [&claimed], now).is_empty());
    assert_eq!(
        bundles_to_keep(&claimed),
        BTreeSet::from(["A", "B", "C", "H"].map(digest))
    );
}

#[test]
fn a_part_tells_its_bundle_by_its_name() {
    let name = &part_names(&digest("A"), 2)[1];
    assert_eq!(bundle_of_part(name), Some(digest("A")));
    assert_eq!(bundle_of_part("b1-4f2a.0"), None);
    assert_eq!(bundle_of_part("kube-root-ca.crt"), None);
}
