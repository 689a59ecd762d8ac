//! PersistentVolumeClaim.

use crate::health::reading::Reading;
use crate::health::verdict::Finding;

/// A pending claim may wait for its first consumer, which only its surroundings tell.
pub(super) fn claim(reading: Reading) -> Finding {
    match reading.text("/status/phase") {
        "Bound" => Finding::healthy("Bound", "is bound to a volume"),
        "Lost" => Finding::failed("Lost", "has lost its volume"),
        _ => Finding::progressing("Pending", "is not bound to a volume yet"),
    }
}
