//! Verdicts of documents of one id, against a server that is played.

use super::*;
use crate::document::Profile;

/// Documents as (id, first name).
fn part(documents: &[(u8, &str)]) -> LanePart {
    let mut part = LanePart::default();
    for (offset, (id, first_name)) in documents.iter().enumerate() {
        let profile = Profile {
            id: [*id; 16],
            first_name,
            middle_name: None,
            last_name: "x",
            marketing_emails_enabled: true,
            two_factor_enabled: true,
            address: None,
            emails: vec![].into(),
            phone_numbers: vec![].into(),
        };
        part.push(&profile, offset);
    }
    part
}

/// Plays the server: a table of id to first name (and whether we wrote it).
fn run(
    documents: &[(u8, &str)],
    stored: &[(u8, &str)],
    on_existing: OnExisting,
    skips_replaced: bool,
) -> (String, usize) {
    let part = part(documents);
    let all = Batch::new(documents_from(&part, 0, &[]).collect());
    let batch = &all.originals;
    let name_of = |index: usize| documents[usize::try_from(batch[index].seq).unwrap()].1;
    let mut table: HashMap<u8, (String, bool)> =
        stored.iter().map(|(id, name)| (*id, ((*name).to_owned(), false))).collect();
    let mut decisions = Decisions::new(batch, on_existing);
    if skips_replaced {
        decisions.skip_replaced();
    }
    let mut rounds = 0;
    loop {
        decisions.decide_replaced();
        let round = decisions.next_round();
        if round.is_empty() {
            break;
        }
        rounds += 1;
        let look = |&index: &usize| {
            let what = match table.get(&batch[index].id[0]) {
                None => Comparison::NotStored,
                Some((name, _)) if name == name_of(index) => return None,
                Some((_, is_ours)) => Comparison::Differs { is_ours: *is_ours },
            };
            Some(Compared { seq: batch[index].seq, ctid: Ctid::default(), what, parts: 1 })
        };
        let found: Vec<_> = round.iter().filter_map(look).collect();
        let writes = decisions.classify(&round, &found);
        for (indices, verdict) in [(&writes.insert, Verdict::Inserted), (&writes.update, Verdict::Updated)] {
            for &index in indices {
                table.insert(batch[index].id[0], (name_of(index).to_owned(), true));
            }
            let ids = indices.iter().map(|&index| decisions.id(index)).collect();
            assert!(decisions.written(indices, &ids, &verdict));
        }
    }
    let letter = |verdict: Verdict| match verdict {
        Verdict::Inserted => 'i',
        Verdict::Updated => 'u',
        Verdict::Unchanged => '=',
        Verdict::Skipped => 's',
        Verdict::Rejected(fault) if fault.code == "load:exists" => 'e',
        Verdict::Rejected(_) => 'd',
        Verdict::Deferred { .. } => unreachable!("a merge decides on every document"),
    };
    let verdicts = all.verdicts_of_all(decisions.into_verdicts());
    (verdicts.into_iter().map(letter).collect(), rounds)
}

#[test]
fn documents_of_one_id_are_decided_in_input_order() {
    use OnExisting::{Reject, Skip, Update};
    let documents = [(1, "a"), (2, "a"), (1, "a"), (1, "b"), (1, "a"), (2, "c"), (3, "x")];
    for (on_existing, stored, expected, rounds) in [
        (Reject, &[][..], "ii=d=di", 2),
        (Skip, &[][..], "ii=s=si", 2),
        (Update, &[][..], "ii=uuui", 3),
        (Reject, &[(1, "b")][..], "eie=edi", 2),
        (Update, &[(1, "a"), (3, "y")][..], "=i=uuuu", 3),
        (Skip, &[(1, "a"), (2, "c"), (3, "x")][..], "=s=s===", 2),
    ] {
        let (verdicts, all_rounds) = run(&documents, stored, on_existing, false);
        assert_eq!((&*verdicts, all_rounds), (expected, rounds), "{on_existing:?}");
        let (verdicts, few_rounds) = run(&documents, stored, on_existing, true);
        assert_eq!((&*verdicts, few_rounds), (expected, 2), "{on_existing:?}");
    }
}

#[test]
fn a_document_that_never_arrives_is_left_out() {
    let part = part(&[(1, "a"), (1, "b")]);
    let batch = Batch::new(documents_from(&part, 0, &[]).collect());
    let mut decisions = Decisions::new(&batch.originals, OnExisting::Reject);
    let mut rounds = 0;
    loop {
        rounds += 1;
        let round = decisions.next_round();
        assert_eq!(round, [0]);
        let not_stored = |index: &usize| Compared {
            seq: batch.originals[*index].seq,
            ctid: Ctid::default(),
            what: Comparison::NotStored,
            parts: 1,
        };
        let found: Vec<_> = round.iter().map(not_stored).collect();
        let writes = decisions.classify(&round, &found);
        if !decisions.written(&writes.insert, &HashSet::new(), &Verdict::Inserted) {
            break;
        }
    }
    assert_eq!(rounds, usize::from(ATTEMPTS_MAX));
}

#[test]
fn what_follows_a_deferred_document_is_deferred() {
    let part = part(&[(1, "a"), (2, "a"), (2, "a"), (3, "a")]);
    let batch = Batch::new(documents_from(&part, 0, &[1, 2]).collect());
    assert_eq!(batch.originals.len(), 2);
    let deferred = || Verdict::Deferred { by_server: true };
    assert_eq!(
        batch.verdicts_of_all(vec![Verdict::Inserted, Verdict::Updated]),
        [Verdict::Inserted, deferred(), deferred(), Verdict::Updated]
    );
}
