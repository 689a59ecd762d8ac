//! One story from the first day of a fleet to the loss of a cluster, on real API servers, with the real Helm and the real
//! binary: what else is tested apart must hold together, too.

mod absence;
mod company;
mod complaint;
mod hub;
mod loss;
mod moving_in;
mod releases;

use crate::clusters::{HUB, Spare, Trouble, forget, now};
use crate::turns::alone;
use company::{ANNEX, Company};

#[test]
fn a_fleet_moves_in_is_updated_put_back_and_outlives_its_hub_and_a_cluster() {
    let _turn = alone();
    let began = now();
    let say = |what: &str| println!("[{:4} s] {what}", now().duration_since(began).as_secs());
    forget();
    let annex = Spare::started(ANNEX);
    let company = Company::begun();
    moving_in::helm_installs_fifty_namespaces(&company);
    say("fifty namespaces of Helm");
    moving_in::all_are_adopted_without_a_restart(&company);
    say("adopted without a restart");

    let broken = releases::a_merge_request_has_one_note(&company);
    releases::the_canary_fails_and_goes_back_alone_and_that_is_announced(&company, &broken);
    say("the canary failed and is back");
    releases::the_fix_reaches_everybody(&company);
    say("the fix is everywhere");

    let took = complaint::a_client_is_put_back_by_domain_in_chat_while_a_rollout_runs(&company);
    say(&format!(
        "put back in chat: {took:?} from the words to the last write"
    ));
    complaint::the_pipeline_respects_the_hold(&company);
    complaint::the_wildcard_certificate_rotates_everywhere(&company);
    say("the certificate is everywhere");

    let off = Trouble::stopped(HUB);
    let took = hub::a_laptop_without_git_puts_a_tenant_back();
    say(&format!(
        "put back from a laptop: {took:?} from the words to the last write"
    ));
    let _harbour = hub::another_one_takes_its_place(&company);
    drop(off);
    say("another hub");

    absence::a_cluster_misses_three_releases_and_catches_up(&company);
    say("a cluster caught up");
    let _annex = loss::its_tenants_are_rebuilt_on_another_at_the_digests_they_ran(&company, annex);
    say("a cluster was rebuilt");
    loss::the_next_release_reaches_them_all(&company);
    say("the next release is everywhere");
}
