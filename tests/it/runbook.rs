//! `docs/runbook.md`, executed: its commands are typed as they stand there, in the situation that they are for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::project::{Project, Ran};

const VERSIONS: &str = "environments/agency/versions.yaml";
const SAVED: &str = ".escale/sim/agency.json";

/// The commands of each entry, by its number.
fn commands() -> BTreeMap<u32, Vec<String>> {
    let page = page();
    let mut commands: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let (mut entry, mut is_code) = (0, false);
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let (number, _) = heading.split_once('.').expect("a number");
            entry = number.parse().expect("a number");
        }
        if line.starts_with("```") {
            is_code = line == "```sh";
        } else if is_code {
            commands.entry(entry).or_default().push(line.to_owned());
        }
    }
    commands
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbook.md");
    fs::read_to_string(path).expect("the runbook")
}

/// The agency on simulated clusters, after some releases.
struct Night {
    project: Project,
    first: String,
}

impl Night {
    fn after(releases: &[&str]) -> Self {
        let project = Project::production();
        project.commit();
        let mut night = Self {
            first: project.head(),
            project,
        };
        for (at, release) in releases.iter().enumerate() {
            night.release(release);
            if at == 0 {
                night.first = night.project.head();
            }
            assert_eq!(night.types("escale rollout -e agency").code, 6);
        }
        night
    }

    fn release(&self, tag: &str) {
        let text = fs::read_to_string(self.project.path(VERSIONS)).expect("versions");
        let line = text
            .lines()
            .find(|line| line.contains("site:"))
            .expect("a version");
        let (image, _) = line.rsplit_once(':').expect("a tag");
        self.project
            .write(VERSIONS, &text.replace(line, &format!("{image}:{tag}")));
        self.project.commit();
    }

    /// Types a line of the page, on simulated clusters.
    fn types(&self, line: &str) -> Ran {
        let line = line.replace("FIRST", &self.first);
        let mut words = words(&line);
        assert_eq!(words.remove(0), "escale", "{line}");
        words.insert(1, "--sim".to_owned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.project.escale(&words)
    }

    /// Types all of an entry; each line must end well.
    fn entry(&self, number: u32) -> Vec<Ran> {
        let commands = commands();
        let lines = commands[&number].iter();
        lines
            .map(|line| {
                let ran = self.types(line);
                assert_eq!(ran.code, 0, "{line}\n{}\n{}", ran.stdout, ran.stderr);
                ran
            })
            .collect()
    }

    /// What each tenant's site runs.
    fn tags(&self) -> BTreeMap<String, String> {
        let saved: Value =
            serde_json::from_slice(&fs::read(self.project.path(SAVED)).expect("kept"))
                .expect("JSON");
        let clusters = saved["clusters"].as_object().expect("clusters").values();
        let objects = clusters.flat_map(|cluster| cluster["objects"].as_array().expect("objects"));
        let sites = objects.map(|saved| &saved["object"]).filter(|object| {
            object["kind"] == "Deployment" && object["metadata"]["name"] == "site"
        });
        sites
            .map(|site| {
                let image = site["spec"]["template"]["spec"]["containers"][0]["image"]
                    .as_str()
                    .expect("an image");
                let tag = image.rsplit_once(':').expect("a tag").1;
                (
                    site["metadata"]["namespace"]
                        .as_str()
                        .expect("a namespace")
                        .to_owned(),
                    tag.to_owned(),
                )
            })
            .collect()
    }
}

/// As a shell would split it: quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().expect("one at least").push(character),
        }
    }
    words
}

#[test]
fn every_entry_has_commands_and_every_test_that_it_names_is_there() {
    let commands = commands();
    assert_eq!(
        commands.keys().copied().collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7, 8],
        "9 is not for simulated clusters"
    );
    let page = page();
    let named: Vec<&str> = page.split('`').filter(|word| word.contains("::")).collect();
    assert_eq!(named.len(), 5, "{named:?}");
    for name in named {
        let (file, test) = name.split_once("::").expect("a file");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/real/{file}.rs"));
        let file = fs::read_to_string(path).expect("a file of tests");
        assert!(file.contains(&format!("fn {test}()")), "{name}");
    }
}

#[test]
fn entry_1_one_client_goes_back_and_stays() {
    let night = Night::after(&["1", "2"]);
    let ran = night.entry(1);
    assert!(
        ran[2].stderr.contains("back and healthy; held for 1d"),
        "{}",
        ran[2].stderr
    );
    assert!(
        ran[0]
            .stdout
            .contains("https://www.musee.example/ answers 200"),
        "{}",
        ran[0].stdout
    );
    let tags = night.tags();
    assert_eq!(
        (tags["musee"].as_str(), tags["bistrot"].as_str()),
        ("1", "2")
    );
    night.release("3");
    assert_eq!(night.types("escale rollout -e agency").code, 6);
    let tags = night.tags();
    assert_eq!(
        (tags["musee"].as_str(), tags["bistrot"].as_str()),
        ("1", "3")
    );
}

#[test]
fn entry_2_everybody_goes_back_and_the_next_release_comes_after() {
    let night = Night::after(&["1", "2"]);
    let commands = commands();
    let (back, forward) = commands[&2].split_at(2);
    for line in back {
        let ran = night.types(line);
        assert_eq!(ran.code, 0, "{line}\n{}\n{}", ran.stdout, ran.stderr);
    }
    assert!(
        night.tags().values().all(|tag| tag == "1"),
        "{:?}",
        night.tags()
    );
    night.release("3");
    let frozen = night.types("escale rollout -e agency");
    assert_ne!(frozen.code, 0);
    assert!(
        night.tags().values().all(|tag| tag == "1"),
        "{}",
        frozen.stderr
    );
    for line in forward {
        let ran = night.types(line);
        assert_eq!(ran.code, 0, "{line}\n{}\n{}", ran.stdout, ran.stderr);
    }
    assert_eq!(night.types("escale rollout -e agency").code, 6);
    assert!(
        night.tags().values().all(|tag| tag == "3"),
        "{:?}",
        night.tags()
    );
}

#[test]
fn entries_3_and_4_whoever_comes_next_goes_on() {
    for entry in [3, 4] {
        let night = Night::after(&["1"]);
        night.release("2");
        let left = night.types("escale rollout -e agency --wait-limit 1m");
        assert_eq!(left.code, 4, "{}", left.stderr);
        let ran: Vec<(String, Ran)> = commands()[&entry]
            .iter()
            .map(|line| (line.clone(), night.types(line)))
            .collect();
        for (line, ran) in ran {
            assert!(
                [0, 6].contains(&ran.code),
                "{line}\n{}\n{}",
                ran.stdout,
                ran.stderr
            );
        }
        assert!(
            night.tags().values().all(|tag| tag == "2"),
            "{:?}",
            night.tags()
        );
    }
}

#[test]
fn entry_5_the_newest_word_on_a_hold_counts() {
    let night = Night::after(&["1"]);
    assert_eq!(
        night
            .types("escale hold -e agency musee --for 1h --reason before")
            .code,
        0
    );
    let ran = night.entry(5);
    assert!(
        ran[1].stdout.contains("waits for the mended release"),
        "{}",
        ran[1].stdout
    );
    assert!(!ran[1].stdout.contains("before"), "{}", ran[1].stdout);
}

#[test]
fn entry_6_a_record_is_made_anew_from_what_stands_there() {
    let night = Night::after(&["1"]);
    let file = night.project.path(SAVED);
    let mut saved: Value = serde_json::from_slice(&fs::read(&file).expect("kept")).expect("JSON");
    let is_record = |object: &Value| {
        object["kind"] == "ConfigMap"
            && object["metadata"]["namespace"] == "escale-system"
            && object["metadata"]["name"] == "musee"
    };
    let mut gone = 0;
    for cluster in saved["clusters"]
        .as_object_mut()
        .expect("clusters")
        .values_mut()
    {
        let objects = cluster["objects"].as_array_mut().expect("objects");
        let before = objects.len();
        objects.retain(|saved| !is_record(&saved["object"]));
        gone += before - objects.len();
    }
    assert_eq!(gone, 1);
    fs::write(&file, saved.to_string()).expect("kept");
    let ran = night.entry(6);
    assert!(
        ran[0].stderr.contains("just as the templates say: musee"),
        "{}",
        ran[0].stderr
    );
    let again = night.types("escale rollout -e agency");
    assert!(
        again.stderr.contains("nothing to do: 7 tenants unchanged"),
        "{}",
        again.stderr
    );
}

#[test]
fn entry_7_the_release_before_the_one_before() {
    let night = Night::after(&["1", "2", "3"]);
    assert_eq!(
        night
            .types("escale rollback -e agency musee --reason bad")
            .code,
        0
    );
    assert_eq!(night.tags()["musee"], "2");
    night.entry(7);
    assert_eq!(night.tags()["musee"], "1");
}

#[test]
fn entry_8_secrets_go_back_only_if_somebody_says_so() {
    let night = Night::after(&["1", "2"]);
    night.entry(8);
    assert_eq!(night.tags()["musee"], "1");
}
