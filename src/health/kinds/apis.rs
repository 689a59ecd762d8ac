//! What serves other kinds: CustomResourceDefinition, APIService.

use crate::health::judge::said;
use crate::health::reading::Reading;
use crate::health::verdict::Finding;

pub(super) fn definition(reading: Reading) -> Finding {
    if let Some(names) = reading
        .condition("NamesAccepted")
        .filter(|it| it.is_false())
    {
        let message = said(names, "its names are taken by another definition");
        return Finding::failed("NamesNotAccepted", message);
    }
    match reading.condition("Established") {
        Some(established) if established.is_true() => {
            Finding::healthy("Established", "is established")
        }
        Some(established) if established.is_false() && established.reason() != "Installing" => {
            Finding::failed("NotEstablished", said(established, "cannot be established"))
        }
        _ => Finding::progressing("Installing", "is not established yet"),
    }
}

pub(super) fn service(reading: Reading) -> Finding {
    match reading.condition("Available") {
        Some(available) if available.is_true() => Finding::healthy("Available", "is available"),
        Some(available) => {
            Finding::progressing("NotAvailable", said(available, "is not available"))
        }
        None => Finding::progressing("NotAvailable", "is not known to be available yet"),
    }
}
