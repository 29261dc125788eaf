//! Draws spellings of connection settings from libpq's two grammars.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt, path::Path};

use super::NAMES;
use crate::support::Random;

/// Part of every password.
pub(super) const SECRET: &str = "S3NTINEL";

/// Where the program finds the connection string; psql finds it on its command line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Carrier {
    Option,
    OptionVariable,
    DatabaseUrl,
}

#[derive(Debug, Clone)]
pub(super) struct Spelling {
    pub(super) text: String,
    pub(super) carrier: Carrier,
    pub(super) variables: Vec<(&'static str, String)>,
    service: String,
    passfile: String,
}

type Pairs = Vec<(&'static str, String)>;

/// A password that trips those who cut strings.
pub(super) fn password_of(user: &str) -> String {
    let index = NAMES.iter().position(|name| *name == user).expect("a user of ours");
    let odd = ["", "?a:b#", " '\\", ";host=x", "%41+&=", "@/://"][index];
    format!("{SECRET}{odd}{SECRET}")
}

impl Spelling {
    /// Settings that libpq takes, in some spelling of theirs.
    pub(super) fn sound(random: &mut Random, socket_dir: &Path, port: u16) -> Self {
        let mut pairs = some_settings(random, socket_dir, port);
        let (mut variables, mut service, mut passfile) = (Vec::new(), String::new(), String::new());
        if random.below(4) == 0 {
            move_to_variables(random, &mut pairs, &mut variables);
        }
        if random.below(6) == 0 {
            move_to_service(random, &mut pairs, &mut service);
        }
        if random.below(5) == 0 {
            // For whoever it is that connects.
            if let Some(at) = pairs.iter().position(|(keyword, _)| *keyword == "password") {
                let password = pairs.remove(at).1.replace('\\', "\\\\").replace(':', "\\:");
                passfile = format!("# none\nother:*:*:*:wrong\n*:*:*:*:{password}\n");
            }
        }
        let text = if random.below(2) == 0 { uri(random, pairs) } else { keyword_string(random, pairs) };
        let carrier = *random.pick(&[Carrier::Option, Carrier::OptionVariable, Carrier::DatabaseUrl]);
        Self { text, carrier, variables, service, passfile }
    }

    /// With a character more, anywhere but in the secret.
    pub(super) fn spoiled(mut self, random: &mut Random) -> Self {
        let character = *random.pick(&["'", "\\", "@", ";", "=", "%", "/", "?", "&", ":", " ", ",", "\""]);
        let is_within = |at: usize| {
            self.text.match_indices(SECRET).any(|(begin, _)| at > begin && at < begin + SECRET.len())
        };
        let places: Vec<_> =
            self.text.char_indices().map(|(at, _)| at).filter(|at| !is_within(*at)).collect();
        // Where other places say everything, there is no text.
        let place = if places.is_empty() { 0 } else { *random.pick(&places) };
        self.text.insert_str(place, character);
        self
    }

    pub(super) fn write_files(&self, home: &Path) {
        fs::write(home.join(".pg_service.conf"), &self.service).expect("the folder is writable");
        let passfile = home.join(".pgpass");
        fs::write(&passfile, &self.passfile).expect("the folder is writable");
        fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }
}

fn some_settings(random: &mut Random, socket_dir: &Path, port: u16) -> Pairs {
    let user = *random.pick(&NAMES);
    let socket_dir = socket_dir.to_str().expect("it is UTF-8").to_owned();
    let mut pairs: Pairs = vec![("user", user.to_owned()), ("password", password_of(user))];
    let database = *random.pick(&NAMES);
    // Left out, it is the user's name.
    if random.below(5) > 0 {
        pairs.push(("dbname", database.to_owned()));
    }
    let (host, port) = match random.below(6) {
        0 => (socket_dir, port.to_string()),
        1 => ("localhost".to_owned(), port.to_string()),
        2 => (format!("127.0.0.1,{socket_dir}"), format!("1,{port}")),
        3 => (format!("{socket_dir},127.0.0.1"), format!("{port}")),
        4 => {
            pairs.push(("hostaddr", "127.0.0.1".to_owned()));
            ("localhost".to_owned(), port.to_string())
        }
        _ => ("127.0.0.1".to_owned(), port.to_string()),
    };
    pairs.push(("host", host));
    pairs.push(("port", port));
    let sslmode = *random.pick(&["", "disable", "prefer", "require", "verify-ca", "verify-full"]);
    if !sslmode.is_empty() {
        pairs.push(("sslmode", sslmode.to_owned()));
    }
    for (keyword, value) in [
        ("application_name", "a://b;c=d @e"),
        ("fallback_application_name", "x y"),
        ("connect_timeout", "7"),
        ("options", "-c work_mem=5MB"),
        ("target_session_attrs", "read-write"),
        ("target_session_attrs", "primary"),
        ("keepalives", "1"),
        ("gssencmode", "disable"),
        ("client_encoding", "UTF8"),
        ("channel_binding", "prefer"),
    ] {
        if random.below(8) == 0 {
            pairs.push((keyword, value.to_owned()));
        }
    }
    pairs
}

fn move_to_variables(random: &mut Random, pairs: &mut Pairs, variables: &mut Vec<(&'static str, String)>) {
    const VARIABLES: [(&str, &str); 7] = [
        ("user", "PGUSER"),
        ("password", "PGPASSWORD"),
        ("dbname", "PGDATABASE"),
        ("host", "PGHOST"),
        ("port", "PGPORT"),
        ("sslmode", "PGSSLMODE"),
        ("application_name", "PGAPPNAME"),
    ];
    for (keyword, variable) in VARIABLES {
        if random.below(2) == 0
            && let Some(at) = pairs.iter().position(|(one, _)| *one == keyword)
        {
            variables.push((variable, pairs.remove(at).1));
        }
    }
}

fn move_to_service(random: &mut Random, pairs: &mut Pairs, service: &mut String) {
    service.push_str("# services\n[other]\nhost=other\n\n[mine]\n");
    // A value that ends with a blank does not fit into a line.
    let fits = |value: &str| value.trim() == value;
    for keyword in ["dbname", "host", "port", "sslmode"] {
        let at = pairs.iter().position(|(one, value)| *one == keyword && fits(value));
        if random.below(2) == 0
            && let Some(at) = at
        {
            writeln!(service, "{keyword}={}", pairs.remove(at).1).expect("a text can be written to");
        }
    }
    pairs.push(("service", "mine".to_owned()));
}

fn keyword_string(random: &mut Random, mut pairs: Pairs) -> String {
    if random.below(4) == 0 {
        // The last one counts.
        pairs.insert(0, ("user", "nobody".to_owned()));
        if !pairs.iter().skip(1).any(|(keyword, _)| *keyword == "user") {
            pairs.remove(0);
        }
    }
    let mut text = String::new();
    for (keyword, value) in pairs {
        let blank = |random: &mut Random| *random.pick(&["", "", "", " ", "\t", "\n "]);
        let (before, after) = (blank(random), blank(random));
        let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
        // An empty value and semicolons need the quotes.
        let value = if value.is_empty() || value.contains(';') || random.below(2) == 0 {
            format!("'{quoted}'")
        } else {
            quoted.replace(' ', "\\ ")
        };
        let separator = *random.pick(&[" ", "  ", "\t", "\n", "\r\n"]);
        write!(text, "{keyword}{before}={after}{value}{separator}").expect("a text can be written to");
    }
    text
}

fn uri(random: &mut Random, mut pairs: Pairs) -> String {
    let mut take = |keyword: &str| taken(&mut pairs, keyword);
    let mut text = (*random.pick(&["postgresql://", "postgres://"])).to_owned();
    let in_authority = random.below(4) > 0;
    if in_authority {
        let (user, password) = (take("user"), take("password"));
        if let Some(user) = &user {
            text += &encoded(random, user, "@/:%");
        }
        if let Some(password) = &password {
            text += ":";
            text += &encoded(random, password, "@/%");
        }
        if user.is_some() || password.is_some() {
            text += "@";
        }
    }
    // Empty ports behind several hosts would count as given.
    let is_list = pairs.iter().any(|(keyword, value)| *keyword == "host" && value.contains(','));
    let has = |keyword: &str, list: bool| {
        pairs.iter().any(|(one, value)| *one == keyword && (!list || value.contains(',')))
    };
    // Ports of hosts that stand elsewhere are a list that has no place here.
    let fits = if has("host", false) { has("port", false) || !is_list } else { !has("port", true) };
    let mut take = |keyword: &str| taken(&mut pairs, keyword);
    if random.below(4) > 0 && fits {
        let hosts = take("host").unwrap_or_default();
        let ports = take("port").unwrap_or_default();
        let (hosts, ports): (Vec<_>, Vec<_>) = (hosts.split(',').collect(), ports.split(',').collect());
        for (index, host) in hosts.iter().enumerate() {
            text += if index == 0 { "" } else { "," };
            text += &encoded(random, host, "/:?,%");
            let port = ports.get(index).or(ports.first().filter(|_| ports.len() == 1));
            if let Some(port) = port.filter(|port| !port.is_empty()) {
                text += ":";
                text += port;
            }
        }
    }
    if random.below(4) > 0
        && let Some(database) = take("dbname")
    {
        text += "/";
        text += &encoded(random, &database, "?%@");
    } else {
        text += *random.pick(&["", "/"]);
    }
    // Where neither came before, libpq takes what stands before an `@` for the user and the password.
    let (_, authority) = text.split_once("://").expect("it begins with a scheme");
    let reserved = if authority.contains(['@', '/']) { "&=%" } else { "&=%@" };
    for (index, (keyword, value)) in pairs.into_iter().enumerate() {
        text += if index == 0 { "?" } else { "&" };
        text += &encoded(random, keyword, "");
        text += "=";
        text += &encoded(random, &value, reserved);
    }
    text
}

fn taken(pairs: &mut Pairs, keyword: &str) -> Option<String> {
    let at = pairs.iter().position(|(one, _)| *one == keyword)?;
    Some(pairs.remove(at).1)
}

/// Percent-encoded where it has to be, and here and there besides. What would be cut off at an end is encoded too.
fn encoded(random: &mut Random, text: &str, reserved: &str) -> String {
    let often = random.below(3) * 5;
    let mut encoded = String::new();
    for c in text.chars() {
        let is_blank = c.is_whitespace();
        // The secret is to be found again.
        let is_plain = c.is_ascii_alphanumeric() && SECRET.contains(c);
        if reserved.contains(c) || is_blank || !is_plain && random.below(20) < often {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                write!(encoded, "%{byte:02X}").expect("a text can be written to");
            }
        } else {
            encoded.push(c);
        }
    }
    encoded
}
