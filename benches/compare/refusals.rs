//! Loads of which the server refuses none, some and all documents, by rules of the tables' owner: a CHECK of the profiles or of
//! a table below them, an index over an expression that fails, a trigger that raises an exception, one that leaves rows out,
//! and one that is deferred.

use crate::{
    Bench,
    data::{self, Documents},
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
};

/// The time with a tenth refused as a multiple of that with none refused: 0.3 of the speed.
const SOME_BAR: Bar = Bar::AtMost(3.33);

/// Documents a second where all are refused.
const ALL_BAR: Bar = Bar::AtLeast(5_000.0);

/// Whether a document is refused, of so many percent of all.
const REFUSED: &str = "abs(hashtext(@row@id::text)) % 100 < @percent@";

const RULES: [(&str, &str); 6] = [
    ("CHECK", "ALTER TABLE customer_profiles ADD CONSTRAINT house_rule CHECK (NOT (@refused@))"),
    (
        "CHECK of the e-mails",
        "ALTER TABLE customer_profile_emails ADD CONSTRAINT house_rule CHECK (NOT (@refused_profile@))",
    ),
    ("index that fails", "CREATE INDEX house_rule ON customer_profiles ((1 / (NOT (@refused@))::int))"),
    ("trigger that raises", "@function@; CREATE TRIGGER house_rule BEFORE INSERT OR UPDATE @on@"),
    ("trigger that returns NULL", "@function@; CREATE TRIGGER house_rule BEFORE INSERT OR UPDATE @on@"),
    ("deferred trigger", "@function@; CREATE CONSTRAINT TRIGGER house_rule AFTER INSERT OR UPDATE @on@"),
];

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents / 10;
    let file = data::file(&bench.options.data, Documents::first(count))?;
    for strategy in ["bulk", "merge"] {
        for (name, rule) in RULES {
            // What triggers act on is merged in any case.
            if strategy == "bulk" && name.contains("trigger") {
                continue;
            }
            let mut sides = [0, 10, 100].map(|percent| {
                (percent, Samples::new(format!("load --strategy {strategy}, {name}, {percent} % refused")))
            });
            for (percent, _) in &sides {
                bench.server.fresh(&format!("ruled_{percent}"), "empty")?;
                bench.server.ask(&format!("ruled_{percent}"), &sql_of(name, rule, *percent))?;
            }
            for _ in 0..bench.options.runs {
                for (percent, samples) in &mut sides {
                    bench.server.fresh("run", &format!("ruled_{percent}"))?;
                    let url = bench.server.url("run");
                    let options = ["--strategy", strategy, "--connections", "2"];
                    let (finished, loaded) = bench.loader.load_refused(&file, &url, &options)?;
                    check(bench, count, *percent, loaded.inserted, loaded.rejected)?;
                    samples.add(&finished);
                }
            }
            let [(_, none), (_, some), (_, all)] = &sides;
            figures::title(&format!("refusals: {count} documents into empty tables"));
            figures::table([none, some, all]);
            figures::ratio(some, none, Some(SOME_BAR));
            figures::rate(all, count, ALL_BAR);
            figures::peak(some);
            figures::peak(all);
        }
    }
    Ok(())
}

fn sql_of(name: &str, rule: &str, percent: u32) -> String {
    let refused = REFUSED.replace("@percent@", &percent.to_string());
    let action = match name {
        "trigger that returns NULL" => "RETURN NULL",
        _ => "RAISE EXCEPTION 'not this one'",
    };
    let timing = if name == "deferred trigger" { "DEFERRABLE INITIALLY DEFERRED " } else { "" };
    let function = format!(
        "CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF {} THEN {action}; END IF; RETURN NEW; END $$",
        refused.replace("@row@", "NEW.")
    );
    rule.replace("@refused@", &refused.replace("@row@", ""))
        .replace("@refused_profile@", &refused.replace("@row@id", "customer_profile_id"))
        .replace("@function@", &function)
        .replace("@on@", &format!("ON customer_profiles {timing}FOR EACH ROW EXECUTE FUNCTION house_rule()"))
}

/// The tables have to hold what was not refused.
fn check(bench: &Bench, count: u64, percent: u32, inserted: u64, rejected: u64) -> Outcome<()> {
    let stored = bench.server.contents("run")?.rows[0];
    let share = u64::from(percent);
    // Hashes are not spread evenly.
    let is_near = rejected * 100 >= count * share * 5 / 10 && rejected * 100 <= count * share * 15 / 10;
    if inserted + rejected == count && stored == inserted && is_near {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "of {count} documents, {percent} % to be refused, {inserted} were inserted, {rejected} rejected, {stored} are stored"
        )))
    }
}
