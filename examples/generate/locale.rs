//! The names, streets and cities that documents are made of, read from `locales.txt` and, for the mix `world`,
//! `locales_further.txt` as well.

/// A country's share of the vocabulary. All text is the inside of a JSON string, unless it was decoded.
#[derive(Debug)]
pub(crate) struct Locale {
    pub(crate) country: &'static str,
    pub(crate) calling_code: &'static str,
    pub(crate) number: &'static str,
    pub(crate) given: Vec<Name>,
    pub(crate) family: Vec<Name>,
    pub(crate) middle: Vec<&'static str>,
    pub(crate) streets: Vec<&'static str>,
    pub(crate) second_lines: Vec<&'static str>,
    pub(crate) cities: Vec<City>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    pub(crate) written: &'static str,
    /// Small ASCII letters.
    pub(crate) in_email: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct City {
    pub(crate) name: &'static str,
    pub(crate) state: &'static str,
    pub(crate) postal_code: &'static str,
}

pub(crate) fn all() -> Vec<Locale> {
    read_all(include_str!("locales.txt"))
}

/// Those of the mix `world`, whose texts are no longer JSON.
pub(crate) fn all_decoded() -> Vec<Locale> {
    let further = read_all(include_str!("locales_further.txt"));
    all().into_iter().chain(further).map(Locale::decoded).collect()
}

fn read_all(text: &'static str) -> Vec<Locale> {
    let blocks = text.split("\n[").skip(1); // the first is the file's comment
    blocks
        .map(|block| read(block).unwrap_or_else(|| panic!("a block of locales is malformed: {block}")))
        .collect()
}

impl Locale {
    fn decoded(mut self) -> Self {
        self.given.iter_mut().chain(&mut self.family).for_each(|name| name.written = decode(name.written));
        for texts in [&mut self.middle, &mut self.streets, &mut self.second_lines] {
            texts.iter_mut().for_each(|text| *text = decode(text));
        }
        for city in &mut self.cities {
            (city.name, city.state) = (decode(city.name), decode(city.state));
        }
        self
    }
}

/// The text is kept for ever, as those of the file are.
fn decode(inside: &'static str) -> &'static str {
    if !inside.contains('\\') {
        return inside;
    }
    let text: String = serde_json::from_str(&format!("\"{inside}\"")).expect("the inside of a JSON string");
    text.leak()
}

fn read(block: &'static str) -> Option<Locale> {
    let mut lines = block.lines();
    let mut head = lines.next()?.split_whitespace();
    let country = head.next()?.strip_suffix(']')?;
    let (calling_code, number) = (head.next()?, head.next()?);
    let mut items = |name: &str| {
        let (found, items) = lines.next()?.split_once(" = ")?;
        (found.trim() == name).then(|| items.split('|').map(str::trim).collect::<Vec<_>>())
    };
    let name = |item: &&'static str| {
        let (written, in_email) = item.split_once("; ")?;
        Some(Name { written, in_email })
    };
    let city = |item: &&'static str| {
        let mut fields = item.split("; ");
        Some(City { name: fields.next()?, state: fields.next()?, postal_code: fields.next()? })
    };
    Some(Locale {
        country,
        calling_code,
        number,
        given: items("given")?.iter().map(name).collect::<Option<_>>()?,
        family: items("family")?.iter().map(name).collect::<Option<_>>()?,
        middle: items("middle")?,
        streets: items("street")?,
        second_lines: items("line2")?,
        cities: items("city")?.iter().map(city).collect::<Option<_>>()?,
    })
}
