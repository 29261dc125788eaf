//! What an unfinished bulk load has dropped and not restored, as statements.

use crate::{console::Console, runs::PendingStep};

pub(super) fn show_pending(pending: &[PendingStep], console: Console) {
    if pending.is_empty() {
        return;
    }
    let statements: Vec<_> = pending.iter().map(|step| format!("\n  {};", step.sql)).collect();
    console.info(&format!("still to be restored, in this order:{}", statements.concat()));
}
