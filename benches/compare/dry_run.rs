//! A dry run of a delta that changes nothing any more, beside the load of it.

use crate::{
    Bench,
    failure::Outcome,
    figures::{self, Bar, Samples},
    merge::{load, merged, prepare},
};

/// The time of the dry run as a multiple of the load's.
const TIME_BAR: Bar = Bar::AtMost(1.0);

/// What the server itself logs while it runs.
const WAL_BAR_MIB: Bar = Bar::AtMost(0.01);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let server = &bench.server;
    let (delta, _) = prepare(bench)?;
    server.fresh("run", "stored")?;
    load(bench, &delta, true)?;
    let mut looks = Samples::new("load --dry-run, all unchanged");
    let mut loads = Samples::new("load --strategy merge, all unchanged");
    let mut wal_mib = 0.0_f64;
    for _ in 0..bench.options.runs {
        // Or reading the catalog takes away what sessions, and ANALYZE, have left dead in it.
        server.vacuum("run")?;
        server.ask("run", "VACUUM")?;
        let looked = merged(server, || {
            let options = ["--dry-run", "--strategy", "merge", "--on-existing", "update"];
            let (finished, found) = bench.loader.load(&delta.path, &server.url("run"), &options)?;
            found.check(&delta.all_unchanged()).map(|()| finished)
        })?;
        looks.add(&looked.finished);
        wal_mib = wal_mib.max(looked.wal_mib);
        loads.add(&merged(server, || load(bench, &delta, false))?.finished);
    }
    server.drop("run")?;
    figures::title(&format!(
        "dry run: {} documents, all unchanged, over {} stored",
        delta.unchanged + delta.changed + delta.new,
        bench.options.documents
    ));
    figures::table([&looks, &loads]);
    figures::ratio(&looks, &loads, Some(TIME_BAR));
    figures::figure("  WAL of a dry run", wal_mib, " MiB", Some(WAL_BAR_MIB));
    figures::peak(&looks);
    Ok(())
}
