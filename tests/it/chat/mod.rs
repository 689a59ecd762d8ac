//! Chat, as a job of GitLab runs it: the real binary, a token that a GitLab of ours signed, one section as the answer.

use std::process::Command;

use escale::chat::LARGEST;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::gitlab::stub::Stub;
use crate::gitlab::tokens::{claims, keys, signed, token};
use crate::project::{Project, Ran};

const ENVIRONMENT: &str = "environments/agency/environment.yaml";

struct Chat {
    project: Project,
    stub: Stub,
}

impl Chat {
    /// The agency, rolled out twice, so that there is something to go back to; ana may do most of it, ben may look.
    fn begun() -> Self {
        let (project, stub) = (Project::production(), Stub::new());
        stub.state().keys = keys();
        let text = std::fs::read_to_string(project.path(ENVIRONMENT)).expect("the environment");
        let chat = format!(
            "\n  chat:\n    gitlab: {}\n    project: ops/fleet\n    people: {{ana: 17, ben: 23}}\n    allow:\n      \
             - {{people: [ana], verbs: [status, history, diff, rollback, hold, release-hold, pause, resume, approve]}}\n      \
             - {{people: [ben], verbs: [status, hold], tenants: ['bi*']}}\n",
            stub.root()
        );
        project.write(ENVIRONMENT, &format!("{}{chat}", text.trim_end()));
        // Two clients in one tenant.
        project.write(
            "environments/agency/tenants/bistrot.yaml",
            "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {name: bistrot}\nspec:\n  cluster: paris\n  class: site\n  platforms:\n    \
             bistrot: {client: bistrot, domain: www.bistrot.example}\n    traiteur: {client: traiteur, domain: www.traiteur.example}\n",
        );
        project.commit();
        let it = Self { project, stub };
        for version in ["2026.11.20-2", "2026.12.1-1"] {
            let path = "environments/agency/versions.yaml";
            let text = std::fs::read_to_string(it.project.path(path)).expect("versions");
            it.project.write(
                path,
                &text.replace("site:2026.11.20-2", &format!("site:{version}")),
            );
            if version != "2026.11.20-2" {
                it.project.commit();
            }
            let ran = it.project.escale(&["rollout", "-e", "agency", "--sim"]);
            assert_eq!(ran.code, 6, "{}", ran.stderr);
        }
        it
    }

    fn claims(&self) -> Value {
        claims(self.stub.root(), "ana", 17)
    }

    fn say(&self, typed: &str) -> String {
        self.say_with(typed, &token(&self.claims()))
    }

    fn say_as_ben(&self, typed: &str) -> String {
        self.say_with(typed, &token(&claims(self.stub.root(), "ben", 23)))
    }

    /// What GitLab would post.
    fn say_with(&self, typed: &str, token: &str) -> String {
        let ran = self.run(typed, token);
        assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
        assert_eq!(
            ran.stdout.matches("section_start:").count(),
            1,
            "{:?}",
            ran.stdout
        );
        assert_eq!(
            ran.stdout.matches("section_end:").count(),
            1,
            "{:?}",
            ran.stdout
        );
        let (_, body) = ran.stdout.split_once('\n').expect("a first line");
        let (body, _) = body.split_once("\nsection_end:").expect("an end");
        assert!(body.len() <= LARGEST, "{}", body.len());
        body.to_owned()
    }

    fn run(&self, typed: &str, token: &str) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_escale"))
            .args(["chat", "-e", "agency", "--sim", "--result", "result.json"])
            .current_dir(self.project.path(""))
            .env_clear()
            .env("PATH", std::env::var("PATH").expect("a path"))
            .env("CHAT_INPUT", typed)
            .env("ESCALE_ID_TOKEN", token)
            .env(
                "CI_JOB_URL",
                "https://gitlab.example.com/ops/fleet/-/jobs/1",
            )
            // Anybody can set variables: they give nobody a right.
            .env("GITLAB_USER_LOGIN", "ana")
            .env("GITLAB_USER_ID", "17")
            .output()
            .expect("the binary starts");
        Ran::from(output)
    }

    fn result(&self) -> Value {
        let text = std::fs::read(self.project.path("result.json")).expect("a result");
        serde_json::from_slice(&text).expect("JSON")
    }
}

#[test]
fn a_client_complains_by_domain_and_the_person_on_call_puts_it_back_in_chat() {
    let chat = Chat::begun();
    let asked = chat.say("rollback www.bistrot.example because documents do not open");
    assert!(asked.starts_with("not done: "), "{asked}");
    assert!(
        asked.contains("shares tenant ‘bistrot’")
            || asked.contains("shares tenant 'bistrot' with 'traiteur'"),
        "{asked}"
    );
    let (_, code) = asked.split_once("confirm ").expect("a code");
    let code: String = code.chars().take(6).collect();

    let wrong =
        chat.say("rollback www.bistrot.example because documents do not open confirm 000000");
    assert!(wrong.contains("that code is not good"), "{wrong}");
    let done = chat.say(&format!(
        "rollback www.bistrot.example because documents do not open confirm {code}"
    ));
    assert!(done.starts_with("rollback bistrot: done\n"), "{done}");
    assert!(done.contains("back and healthy; held for 1d"), "{done}");
    assert_eq!(chat.result()["exitCode"], 0);
    let history = chat.say("history bistrot");
    assert!(
        history.contains("documents do not open") && history.contains("ana (chat)"),
        "{history}"
    );
    // The same once more is a slip, told and not lost.
    let again = chat.say(&format!(
        "rollback www.bistrot.example because documents do not open confirm {code}"
    ));
    assert!(again.starts_with("rollback bistrot: FAILED\n"), "{again}");
    assert!(again.contains("was rolled back by ana (chat)"), "{again}");
    assert_eq!(chat.result()["exitCode"], 1);
}

#[test]
fn all_commands_answer_in_words() {
    let chat = Chat::begun();
    assert!(chat.say("").starts_with("status [TARGET]"));
    assert!(
        chat.say("help")
            .contains("rollback TARGET [to WHERE] because WHY")
    );
    let status = chat.say("status");
    assert!(
        status.starts_with("status: done\n") && status.contains("musee"),
        "{status}"
    );
    assert!(chat.say("status musee").contains("rollout"));
    let diff = chat.say("diff musee");
    assert!(diff.contains("no changes in 1 tenant"), "{diff}");
    let held = chat.say("hold musee for 4h because they count");
    assert!(held.contains("musee is held for 4h"), "{held}");
    let released = chat.say("release-hold musee");
    assert!(released.contains("goes with the fleet again"), "{released}");
    let nothing = chat.say("pause because wait");
    assert!(nothing.starts_with("pause: FAILED\n"), "{nothing}");
    let unknown = chat.say("rollback musée because x");
    assert!(unknown.contains("is no name"), "{unknown}");
    let near = chat.say("history musees");
    assert!(
        near.contains("not done") && near.contains("musee"),
        "{near}"
    );
    let approved = chat.say("approve banque");
    assert!(approved.starts_with("approve banque: done"), "{approved}");
}

#[test]
fn rights_are_those_of_whom_gitlab_signed_for() {
    let chat = Chat::begun();
    assert!(chat.say_as_ben("status").starts_with("status: done"));
    assert!(
        chat.say_as_ben("rollback musee because x")
            .contains("ben may not 'rollback' here")
    );
    assert!(
        chat.say_as_ben("hold musee because x")
            .contains("ben may not 'hold' musee")
    );
    let with = |claim: &str, value: Value| {
        let mut claims = chat.claims();
        claims[claim] = value;
        chat.say_with("hold musee because x", &token(&claims))
    };
    for (claim, value, says) in [
        ("aud", json!("other"), "InvalidAudience"),
        ("iss", json!("https://other.example.com"), "InvalidIssuer"),
        ("exp", json!(1_000_000_000), "ExpiredSignature"),
        (
            "project_path",
            json!("ops/other"),
            "'project_path' of the token is not 'ops/fleet'",
        ),
        (
            "ref_protected",
            json!("false"),
            "'ref_protected' of the token is not 'true'",
        ),
        (
            "pipeline_source",
            json!("web"),
            "'pipeline_source' of the token is not 'chat'",
        ),
        ("user_id", json!("99"), "(99) is not among 'chat.people'"),
    ] {
        let told = with(claim, value);
        assert!(
            told.starts_with("not done: ") && told.contains(says),
            "{claim}: {told}"
        );
    }
    let claims = chat.claims();
    for (token, says) in [
        (
            signed(&claims, Algorithm::HS256, "one"),
            "not signed with RS256",
        ),
        (
            signed(&claims, Algorithm::RS256, "two"),
            "does not know the key",
        ),
        (token(&claims).replace("eyJ", "eyK"), "not done"),
        ("eyJhbGciOiJub25lIn0.e30.".to_owned(), "not done"),
        (String::new(), "nobody knows who asks"),
    ] {
        let told = chat.say_with("hold musee because x", &token);
        assert!(
            told.starts_with("not done: ") && told.contains(says),
            "{told}"
        );
        assert!(!told.contains("eyJ"), "no token in an answer");
    }
    assert!(chat.say("release-hold musee").contains("is not held"));
}

#[test]
fn what_is_typed_reaches_no_shell_no_flag_and_no_other_tenant() {
    let chat = Chat::begun();
    for typed in [
        "rollback musee; touch pwned because x",
        "rollback $(touch pwned) because x",
        "rollback `touch pwned` because x",
        "rollback --all because x",
        "rollback -- musee because x",
        "hold musee because x --for=1s",
        "rollback * because x",
        "rollback musee to --all because x",
        "hold musee because <!channel> @here \u{1b}[31m",
    ] {
        let told = chat.say(typed);
        assert!(
            !told.contains('<') && !told.contains('@') && !told.contains('\u{1b}'),
            "{told}"
        );
    }
    assert!(!chat.project.path("pwned").exists());
    let history = chat.say("history musee");
    assert!(!history.contains("rollback  "), "{history}");
    // A reason is a reason, whatever it looks like.
    assert!(history.contains("x --for=1s"), "{history}");
}
