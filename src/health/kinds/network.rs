//! Service and Ingress.

use crate::health::kinds::generic::waits_for;
use crate::health::reading::Reading;
use crate::health::verdict::Finding;

/// An address of a load balancer is waited for only if the author asks: on clusters without a
/// provider it never comes.
pub(super) fn service(reading: Reading) -> Finding {
    if reading.text("/spec/type") != "LoadBalancer" {
        return Finding::healthy("Ready", "is there");
    }
    if reading.text("/spec/clusterIP").is_empty() {
        return Finding::progressing("NoClusterIP", "has no cluster address yet");
    }
    address(reading)
}

/// Some controllers never write an address (Argo CD waits for one for ever).
pub(super) fn ingress(reading: Reading) -> Finding {
    address(reading)
}

fn address(reading: Reading) -> Finding {
    let has_address = !reading.items("/status/loadBalancer/ingress").is_empty();
    match (has_address, waits_for(reading.live, "address")) {
        (true, _) => Finding::healthy("Ready", "has an address"),
        (false, false) => Finding::healthy("Ready", "is there; has no address, none is asked for"),
        (false, true) => Finding::progressing("NoAddress", "has no address yet"),
    }
}
