//! Who may ask in chat, and who is told.

use crate::fleet::{Files, Finding, load};

/// The mistakes of an environment with this spec.
fn told(spec: &str) -> String {
    let document = format!(
        "apiVersion: escale.dev/v1alpha1\nkind: Environment\nmetadata: {{name: test}}\nspec: {{{spec}}}\n"
    );
    let files: Files = [("environments/test/environment.yaml".to_owned(), document)].into();
    let findings = load(&files, "test").expect_err("mistakes");
    let findings: Vec<String> = findings.iter().map(Finding::to_string).collect();
    findings.join("\n")
}

#[test]
fn a_right_in_chat_is_somebodys() {
    let chat = |grant: &str| {
        told(&format!(
            "chat: {{gitlab: 'https://gitlab.example.com', project: ops/fleet, people: {{ana: 17}}, allow: [{grant}]}}"
        ))
    };
    let wrong = chat("{people: [anna], verbs: [status]}");
    assert!(
        wrong.contains("`anna` is not among `chat.people`")
            && wrong.contains("did you mean `ana`?"),
        "{wrong}"
    );
    let wrong = chat("{people: [ana], verbs: [deploy]}");
    assert!(
        wrong.contains("deploy") && wrong.contains("release-hold"),
        "{wrong}"
    );
}

#[test]
fn an_address_of_a_webhook_is_no_text_for_git() {
    let ops = |channel: &str| told(&format!("announce: {{ops: {{format: slack, {channel}}}}}"));
    let open = ops("url: 'https://hooks.example.com/x'");
    assert!(open.contains("`url` is not `env:NAME`"), "{open}");
    let signed = ops("url: 'env:A', key: 'env:B'");
    assert!(signed.contains("only `format: json` is signed"), "{signed}");
    let typo = ops("url: 'env:A', of: [begun]");
    assert!(
        typo.contains("begun") && typo.contains("finished"),
        "{typo}"
    );
}
