//! What `check` says of strategies that pick themselves by what changes.

use super::mistakes_with;

/// Strategies by name, each with a `when` of these patterns if there are any.
fn strategies(all: &[(&str, &str)]) -> String {
    let each = all.iter().map(|(name, patterns)| {
        let when = if patterns.is_empty() {
            String::new()
        } else {
            format!("when: {{onlyPaths: {patterns}}}")
        };
        format!("---\napiVersion: escale.dev/v1alpha1\nkind: Strategy\nmetadata: {{name: {name}}}\nspec: {{{when}}}\n")
    });
    each.collect()
}

#[test]
fn strategies_that_leave_open_which_of_them_is_meant_are_mistakes() {
    let said = |all: &[(&str, &str)]| mistakes_with("strategy.yaml", &strategies(all));
    assert_eq!(
        said(&[
            ("normal", ""),
            ("hotfix", ""),
            ("images", "[environments/*/versions.yaml]")
        ]),
        "no mistakes",
        "`hotfix` is there for who asks for it"
    );
    assert_eq!(
        said(&[("slow", ""), ("quick", "")]),
        "error: strategy.yaml:9:18: several strategies are the default: `slow`, `quick`\n  \
         hint: name one of them `normal`, or write a `when` for the others"
    );
    assert_eq!(
        said(&[("normal", "[templates/**]")]),
        "error: strategy.yaml:5:14: every strategy has a `when`: none is left for other changes\n  \
         hint: leave `when` out of one: it is the default"
    );
    assert_eq!(
        said(&[
            ("a", "[secrets/**, templates/**]"),
            ("b", "[templates/**]"),
            ("c", "[./x, '']"),
            ("normal", "")
        ]),
        "error: strategy.yaml:10:14: `b` is never picked: `a`, which comes before it, agrees to all that it does\n  \
         hint: write it above `a`, or change its patterns\n\
         error: strategy.yaml:15:27: no path of a repository matches `./x`\n  \
         hint: write it from the repository's root, with names, `*` and `**` between slashes: `templates/**`\n\
         error: strategy.yaml:15:32: no path of a repository matches ``\n  \
         hint: write it from the repository's root, with names, `*` and `**` between slashes: `templates/**`"
    );
    assert_eq!(
        said(&[("a", "[]"), ("normal", "")]),
        "error: strategy.yaml:5:14: a `when` without patterns never agrees\n  \
         hint: write `onlyPaths`, or leave `when` out"
    );
}

#[test]
fn only_a_canary_covers_shapes() {
    let text = "apiVersion: escale.dev/v1alpha1\nkind: Strategy\nmetadata: {name: normal}\nspec: {waves: [{name: all, cover: shapes}]}\n";
    assert_eq!(
        mistakes_with("strategy.yaml", text),
        "error: strategy.yaml:4:35: wave `all` is no canary, and covers nothing\n  \
         hint: write `role: canary`, or leave `cover` out"
    );
}
