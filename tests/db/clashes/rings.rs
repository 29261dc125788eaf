//! Profiles that take over e-mails from each other in rings and chains, beside others who want the same e-mails: what is
//! rejected is what a slow and simple reading of the rule says, whatever the way to load.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{NO_OTHER, ONE_EMAIL, rejected, store};
use crate::support::{Random, assert_stored, ndjson};

/// A profile by its number, and the numbers of its e-mails.
type Wish = (usize, Vec<usize>);

const ONE_OWNER: &str = "CREATE EXTENSION btree_gist;
    ALTER TABLE customer_profile_emails
    ADD CONSTRAINT one_owner EXCLUDE USING gist (lower(email) WITH =, customer_profile_id WITH <>)";

/// What its e-mails compare as is the same in capitals.
fn document((number, emails): &Wish, name: &str) -> Value {
    let email = |email: &usize| match (email + number) % 2 {
        0 => format!("mail{email}@example.com"),
        _ => format!("MAIL{email}@example.com"),
    };
    json!({
        "id": format!("{:08x}-0000-4000-8000-{number:012}", number.wrapping_mul(2_654_435_761) % (1 << 32)),
        "firstName": name, "lastName": "L",
        "emails": emails.iter().map(email).collect::<Vec<_>>(),
        "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
    })
}

fn documents(wishes: &[Wish], name: &str) -> Vec<Value> {
    wishes.iter().map(|wish| document(wish, name)).collect()
}

/// Indices of the wishes that can't be granted: in input order, each is granted with all that have to give something up
/// for it, unless one of these was refused, or two of those granted would hold the same. Ids come once.
fn refused(stored: &[Wish], input: &[Wish]) -> Vec<usize> {
    let holder: BTreeMap<usize, usize> =
        stored.iter().flat_map(|(number, emails)| emails.iter().map(|&email| (email, *number))).collect();
    let at: BTreeMap<usize, usize> =
        input.iter().enumerate().map(|(at, (number, _))| (*number, at)).collect();
    let mut granted = BTreeSet::new();
    let mut refused = Vec::new();
    for first in 0..input.len() {
        let mut all = granted.clone();
        let mut todo = vec![first];
        let mut is_possible = true;
        while let Some(index) = todo.pop() {
            if !all.insert(index) {
                continue;
            }
            let (number, emails) = &input[index];
            is_possible &= !refused.contains(&index);
            for holder in
                emails.iter().filter_map(|email| holder.get(email)).filter(|holder| *holder != number)
            {
                match at.get(holder) {
                    Some(&other) => todo.push(other),
                    None => is_possible = false,
                }
            }
        }
        let mut held = BTreeSet::new();
        let emails = all.iter().flat_map(|&index| &input[index].1);
        if is_possible && emails.into_iter().all(|email| held.insert(email)) {
            granted = all;
        } else {
            refused.push(first);
        }
    }
    refused
}

/// Loads the wishes on top of what is stored, in each of the ways.
async fn check(what: &str, stored: &[Wish], input: &[Wish]) {
    let refused = refused(stored, input);
    let code = |rule: &str| if rule == ONE_EMAIL { "db:23505" } else { "db:23P01" };
    let (before, after) = (documents(stored, "Before"), documents(input, "After"));
    let mut expected: BTreeMap<&str, &Value> =
        before.iter().map(|document| (document["id"].as_str().expect("a text"), document)).collect();
    for (_, document) in after.iter().enumerate().filter(|(index, _)| !refused.contains(index)) {
        expected.insert(document["id"].as_str().expect("a text"), document);
    }
    let expected: Vec<_> = expected.into_values().map(Value::to_string).collect();
    let both = [before.clone(), after.clone()].concat();
    let mut loaded = BTreeMap::new();
    for (rule, options, is_merge) in [
        (ONE_EMAIL, "--strategy=merge --connections=1", true),
        (ONE_EMAIL, "--strategy=merge --connections=4", true),
        (NO_OTHER, "--strategy=merge --connections=4", true),
        (ONE_OWNER, "--strategy=merge --connections=4", true),
        (ONE_EMAIL, "--atomic", true),
        (ONE_EMAIL, "--strategy=bulk --connections=4", false),
    ] {
        let options: Vec<_> = options.split(' ').chain(["--on-existing=update"]).collect();
        let (store, input, lines_before) = if is_merge {
            let loaded = loaded.entry(rule).or_insert_with(|| {
                let store = store(rule);
                assert_eq!(store.load(&[], &ndjson(&before)).code, Some(0));
                store
            });
            (loaded.copy(), &after, 0)
        } else {
            (store(rule), &both, before.len())
        };
        let run = store.load(&options, &ndjson(input));
        let lines: Vec<_> = refused.iter().map(|index| lines_before + index + 1).collect();
        assert_eq!(rejected(&run, code(rule)), lines, "{what}, {rule}, {options:?}: {}", run.stderr);
        assert_eq!(run.code, Some(i32::from(!lines.is_empty())), "{what}: {}", run.stderr);
        assert_stored(&store.connect().await, expected.iter().map(String::as_bytes)).await;
    }
}

fn stored(count: usize) -> Vec<Wish> {
    (0..count).map(|number| (number, vec![number])).collect()
}

/// Each of `numbers` takes what the next has.
fn ring(numbers: std::ops::Range<usize>) -> Vec<Wish> {
    let next = |number| if number + 1 == numbers.end { numbers.start } else { number + 1 };
    numbers.clone().map(|number| (number, vec![next(number)])).collect()
}

#[tokio::test]
async fn a_swap_closes_beside_an_earlier_claimant() {
    check("one", &stored(3), &[(2, vec![0]), (0, vec![1]), (1, vec![0])]).await;
    check("two", &stored(4), &[(2, vec![0]), (0, vec![1]), (3, vec![1]), (1, vec![0])]).await;
    check("new profiles", &stored(2), &[(7, vec![0]), (0, vec![1]), (8, vec![1]), (1, vec![0])]).await;
}

#[tokio::test]
async fn long_rings_close_beside_many_claimants() {
    let outsiders = (500..540).map(|number| (number, vec![number % 7]));
    check("a ring of 100", &stored(100), &outsiders.chain(ring(0..100)).collect::<Vec<_>>()).await;
    let mut two = vec![(90, vec![3, 45])];
    two.extend(ring(0..40));
    two.extend(ring(40..80));
    check("two rings", &stored(100), &two).await;
    two.push((80, vec![81]));
    two.push((81, vec![500]));
    two.rotate_left(1);
    check("two rings and a chain", &stored(100), &two).await;
}

#[tokio::test]
async fn thousands_want_what_a_swap_gives_up() {
    let mut input: Vec<Wish> = (1000..3000).map(|number| (number, vec![0])).collect();
    input.extend([(0, vec![1]), (1, vec![0])]);
    input.extend((3000..4000).map(|number| (number, vec![1, number])));
    check("3,000", &stored(5), &input).await;
    // The first of them gets what a chain gives up.
    let last = input.len() - 1001;
    input[last] = (1, vec![9999]);
    check("3,000 and a chain", &stored(5), &input).await;
}

/// Permutations of what 200 profiles have, with claimants from outside, chains that end in new e-mails, and profiles that
/// want two e-mails at once.
#[tokio::test]
async fn anything_goes() {
    for seed in 0..3 {
        let mut random = Random(seed);
        let stored: Vec<Wish> =
            (0..200)
                .map(|number| {
                    if number % 3 == 0 {
                        (number, vec![number, 1000 + number])
                    } else {
                        (number, vec![number])
                    }
                })
                .collect();
        let mut pool: Vec<usize> = stored.iter().flat_map(|(_, emails)| emails.clone()).collect();
        shuffle(&mut pool, &mut random);
        let mut input: Vec<Wish> = Vec::new();
        for number in 0..200 {
            let mut emails = match random.below(8) {
                // A new one, of its own.
                0 => vec![2000 + number],
                1 => vec![*random.pick(&pool)],
                2 => continue,
                3 => vec![pool[number], number],
                _ => vec![pool[number]],
            };
            emails.dedup();
            input.push((number, emails));
        }
        input.extend((300..330).map(|number| (number, vec![*random.pick(&pool)])));
        shuffle(&mut input, &mut random);
        check(&format!("seed {seed}"), &stored, &input).await;
    }
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for end in (1..items.len()).rev() {
        items.swap(end, random.below(end + 1));
    }
}
