//! What the properties look like, and ids that come more than once.

use maud::{Markup, PreEscaped, html};

use super::shown::{FEW, count_or_few, documents, percent, shown};
use crate::report::{
    ChoiceField, Exactness, FieldProfile, Lengths, ListField, RunReport, TextField, grouped,
};

/// There are fewer properties, unless somebody has edited the report.
const FIELDS_MAX: usize = 30;
const CHOICES_BYTES_MAX: usize = 60_000;

/// Rows of a distribution.
const VALUES_MAX: usize = 40;

pub(super) fn profile(report: &RunReport) -> Markup {
    let Some(fields) = &report.fields else { return Markup::default() };
    html! {
        section aria-labelledby="fields" {
            h2 id="fields" { "Field profile" }
            p {
                "Of " (documents(fields.documents)) ", rejected ones as far as they could be read. A length that fewer than "
                (FEW) " documents have is not told."
            }
            (texts(fields))
            (lists(fields))
            (PreEscaped(distributions(fields)))
        }
    }
}

/// As far as the page has room.
fn distributions(fields: &FieldProfile) -> String {
    let mut all = String::new();
    for choice in &fields.choices {
        let part = distribution(choice).into_string();
        if all.len() + part.len() > CHOICES_BYTES_MAX {
            break;
        }
        all.push_str(&part);
    }
    all
}

fn texts(fields: &FieldProfile) -> Markup {
    let presence = [("/id", fields.ids), ("/address", fields.addresses)];
    html! {
        div.scroll tabindex="0" role="region" aria-label="Texts" {
            table {
                caption { "Texts, lengths in characters" }
                thead {
                    tr {
                        th scope="col" { "Property" }
                        th.number scope="col" { "There" }
                        th.number scope="col" { "Minimum" }
                        th.number scope="col" { "Median" }
                        th.number scope="col" { "99th percentile" }
                        th.number scope="col" { "Maximum" }
                        th.number scope="col" { "Column's limit" }
                        th.number scope="col" { "Longer than that" }
                    }
                }
                tbody {
                    @for (pointer, count) in presence {
                        tr {
                            td { code { (pointer) } }
                            td.number { (count_or_few(count)) }
                            @for _ in 0..6 { td.number { "–" } }
                        }
                    }
                    @for field in fields.texts.iter().take(FIELDS_MAX) { (text_row(field)) }
                }
            }
        }
    }
}

fn text_row(field: &TextField) -> Markup {
    let too_long = field.limit.map(|limit| field.characters.at_least(limit + 1));
    html! {
        tr {
            td { code { (shown(&field.pointer)) } }
            (lengths(&field.characters))
            td.number { @if let Some(limit) = field.limit { (limit) } @else { "none" } }
            td.number { @if let Some(count) = too_long { (count_or_few(count)) } @else { "–" } }
        }
    }
}

fn lists(fields: &FieldProfile) -> Markup {
    let row =
        |field: &ListField| html! { tr { td { code { (shown(&field.pointer)) } } (lengths(&field.items)) } };
    html! {
        div.scroll tabindex="0" role="region" aria-label="Lists" {
            table {
                caption { "Lists, items of each" }
                thead {
                    tr {
                        th scope="col" { "Property" }
                        th.number scope="col" { "There" }
                        th.number scope="col" { "Minimum" }
                        th.number scope="col" { "Median" }
                        th.number scope="col" { "99th percentile" }
                        th.number scope="col" { "Maximum" }
                    }
                }
                tbody { @for field in fields.lists.iter().take(FIELDS_MAX) { (row(field)) } }
            }
        }
    }
}

/// How many there are, and their lengths as far as enough documents have them.
fn lengths(lengths: &Lengths) -> Markup {
    let total = lengths.total();
    let told = |length: Option<u64>| match length {
        _ if total > 0 && total < FEW => "fewer than 5".to_owned(),
        None => "–".to_owned(),
        Some(length) if lengths.count_like(length) < FEW => "fewer than 5".to_owned(),
        Some(length) => grouped(length),
    };
    html! {
        td.number { (count_or_few(total)) }
        td.number { (told(lengths.minimum())) }
        td.number { (told(lengths.quantile(0.5))) }
        td.number { (told(lengths.quantile(0.99))) }
        td.number { (told(lengths.maximum())) }
    }
}

fn distribution(field: &ChoiceField) -> Markup {
    let mut values: Vec<_> = field.values.iter().filter(|(_, count)| **count > 0).collect();
    values.sort_by_key(|(value, count)| (std::cmp::Reverse(**count), (*value).clone()));
    let few: usize = values.iter().filter(|(_, count)| **count < FEW).count();
    let total: u64 = field.values.values().sum::<u64>() + field.other;
    if total == 0 {
        return Markup::default();
    }
    html! {
        details {
            summary { "Values of " code { (shown(&field.pointer)) } }
            div.scroll tabindex="0" role="region" aria-label={ "Values of " (shown(&field.pointer)) } {
                table {
                    thead {
                        tr {
                            th scope="col" { "Value" }
                            th.number scope="col" { "How often" }
                            th.number scope="col" { "Share" }
                        }
                    }
                    tbody {
                        @for (value, count) in values.iter().filter(|(_, count)| **count >= FEW).take(VALUES_MAX) {
                            tr {
                                td { (shown(value)) }
                                td.number { (grouped(**count)) }
                                td.number { (percent(**count, total)) }
                            }
                        }
                        @if field.other > 0 {
                            tr {
                                td { "none of the known values" }
                                td.number { (count_or_few(field.other)) }
                                td.number { @if field.other >= FEW { (percent(field.other, total)) } @else { "–" } }
                            }
                        }
                        @if few > 0 {
                            tr {
                                td { (few) " values, each" }
                                td.number { "fewer than 5" }
                                td.number { "–" }
                            }
                        }
                        @if values.len() - few > VALUES_MAX {
                            tr { td colspan="3" { (values.len() - few - VALUES_MAX) " more values are in the JSON report" } }
                        }
                    }
                }
            }
        }
    }
}

/// Ids that come more than once.
pub(super) fn duplicates(report: &RunReport) -> Markup {
    let Some(duplicates) = &report.duplicates else { return Markup::default() };
    let exactness = match duplicates.exactness {
        Exactness::Exact => {
            "Counted by hashes of 64 bits: that two ids are taken for one has a chance of one in 3,700 among a hundred million."
        }
        Exactness::Estimated => {
            "Several reports were merged: ids that come in more than one of them are estimated from a sample."
        }
    };
    html! {
        section aria-labelledby="duplicates" {
            h2 id="duplicates" { "Ids that come more than once" }
            @if duplicates.repeats == 0 {
                p { "None." }
            } @else {
                dl {
                    dt { "Ids whose documents are the same text" }
                    dd { (grouped(duplicates.ids_identical)) }
                    dt { "Ids whose documents differ" }
                    dd { (grouped(duplicates.ids_differing)) }
                    dt { "Documents beyond the first of their id" }
                    dd { (grouped(duplicates.repeats)) ", " (percent(duplicates.repeats, report.documents.read)) }
                }
            }
            p.quiet { (exactness) }
        }
    }
}
