//! What the hub remembers of tenants.

use super::*;

fn line(namespace: &str, name: &str) -> RosterLine {
    RosterLine {
        tenant: namespace.to_owned(),
        namespace: namespace.to_owned(),
        digest: digest(name),
        release: Some(format!("commit-{name}")),
        hold: None,
    }
}

fn known(record: &TenantRecord, has_soaked: bool) -> Option<(String, Option<Hold>)> {
    let line = RosterLine::of(record, has_soaked, at(50))?;
    let release = line.release.unwrap();
    assert_eq!(
        line.digest,
        digest(release.strip_prefix("commit-").unwrap())
    );
    Some((release, line.hold))
}

#[test]
fn a_tenant_is_known_by_what_runs_once_its_wave_has_soaked_else_by_what_was_good_before() {
    let mut record = record();
    let b = Some(("commit-B".to_owned(), None));
    let a = Some(("commit-A".to_owned(), None));
    assert_eq!(known(&record, true), b);
    assert_eq!(known(&record, false), a);
    record.state = Outcome::Failed;
    assert_eq!(known(&record, true), a, "nobody saw it healthy");
    record.state = Outcome::Succeeded;
    record.claim = Some(
        take_claim(&record, taking("C"), at(20))
            .unwrap()
            .record
            .claim
            .unwrap(),
    );
    assert_eq!(known(&record, true), a, "somebody is moving it");
    record.claim = None;
    record.goods.clear();
    assert_eq!(known(&record, false), None);
}

#[test]
fn a_tenant_that_was_put_back_is_known_by_what_it_was_put_back_to() {
    let mut record = record();
    record.digest = Some(digest("A"));
    record.release = Some("commit-A".to_owned());
    record.state = Outcome::RolledBack;
    record.goods.insert(0, good("B", 9));
    assert_eq!(known(&record, false), Some(("commit-A".to_owned(), None)));
}

#[test]
fn a_held_tenant_is_known_by_where_it_is_held_until_the_hold_is_over() {
    let mut record = record();
    record.hold = Some(held());
    assert_eq!(
        known(&record, false),
        Some(("commit-B".to_owned(), Some(held())))
    );
    record.hold.as_mut().unwrap().expires = Some(at(49));
    assert_eq!(known(&record, false), Some(("commit-A".to_owned(), None)));
}

fn stored(writes: Vec<RosterWrite>) -> Vec<Stored<RosterShard>> {
    let stored = writes.into_iter().map(|write| {
        let mut value = encode_roster(&write.shard, Some("7"));
        value["metadata"]["uid"] = "u".into();
        decode_roster(&value).unwrap()
    });
    stored.collect()
}

#[test]
fn a_roster_is_changed_in_the_shards_that_change_and_grows_with_the_tenants_only() {
    let all: Vec<RosterChange> = (0..1_200)
        .map(|index| RosterChange::Runs(line(&format!("t{index:04}"), "A")))
        .collect();
    let changes =
        |changes: &[RosterChange]| RosterChanges::from([("gra".to_owned(), changes.to_vec())]);
    let first = update_roster("production", &[], &changes(&all));
    let sizes: Vec<usize> = first.iter().map(|write| write.shard.lines.len()).collect();
    assert_eq!(sizes, [500, 500, 200]);
    let mut roster = stored(first);
    assert_eq!(update_roster("production", &roster, &changes(&all)), []);

    let moved = [RosterChange::Runs(line("t0700", "B"))];
    let writes = update_roster("production", &roster, &changes(&moved));
    assert_eq!(writes.len(), 1);
    assert_eq!(
        (writes[0].shard.shard, writes[0].replaces.as_deref()),
        (1, Some("7"))
    );

    // Whoever comes takes the place of who left.
    let swapped = [
        RosterChange::Gone("t0003".to_owned()),
        RosterChange::Runs(line("a-new", "A")),
    ];
    let writes = update_roster("production", &roster, &changes(&swapped));
    assert_eq!(writes.len(), 1);
    assert_eq!(
        (writes[0].shard.shard, writes[0].shard.lines.len()),
        (0, 500)
    );
    assert_eq!(writes[0].shard.lines[0].namespace, "a-new");

    // Another cluster's roster is its own.
    roster[0].value.cluster = "rbx".to_owned();
    let gone = [RosterChange::Gone("t0003".to_owned())];
    assert_eq!(update_roster("production", &roster, &changes(&gone)), []);
}

#[test]
fn a_roster_reads_back_and_says_if_it_is_another_one() {
    let shard = RosterShard {
        environment: "production".to_owned(),
        cluster: "gra".to_owned(),
        shard: 0,
        lines: vec![RosterLine {
            hold: Some(held()),
            ..line("jp", "A")
        }],
    };
    let mut value = encode_roster(&shard, None);
    assert_eq!(value["metadata"]["name"], "roster.production.gra.0");
    assert_eq!(decode_roster(&value).unwrap().value, shard);
    value["metadata"]["name"] = "roster.production.rbx.0".into();
    let error = decode_roster(&value).unwrap_err().to_string();
    assert!(error.contains("it is shard 0 of cluster `gra`"), "{error}");
}
