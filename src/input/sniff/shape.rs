//! What an input may be instead of NDJSON, and the command that makes NDJSON of it.

/// Something that is not NDJSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// With its article, as it follows "is not NDJSON but".
    pub(super) found: &'static str,
    /// How it was told.
    pub(super) told: &'static str,
    pub(super) fix: Fix,
}

/// In commands `FILE` stands for the input's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fix {
    /// No command does it.
    Words(&'static str),
    /// What the command does, and the command, which reads `FILE`, or standard input without it.
    Command(&'static str, &'static str),
    /// The same with one that can't read standard input.
    FileCommand(&'static str, &'static str),
    /// Tar reads the archive as it is, in its wrapping.
    Tar,
    /// A command that is to read the input without its first bytes, so many of them.
    Behind(&'static str, &'static str, usize),
}

/// Of commands whose output goes on into this program.
pub(super) const PIPE_IN: &str = "pipe it in";

impl Fix {
    /// For the input `name` (`-` is standard input), which `form` is wrapped in.
    pub(super) fn text(&self, name: &str, form: &str) -> String {
        match *self {
            Self::Words(words) => words.to_owned(),
            Self::Command(purpose, command) | Self::Behind(purpose, command, 0) => {
                format!("{purpose}: {}", fed(command, name, form))
            }
            Self::FileCommand(purpose, command) => format!("{purpose}: {}", of_file(command, name, form)),
            Self::Tar => {
                let name = if name == "-" { name.to_owned() } else { quoted(name) };
                let options = match form {
                    "gzip" => "-xzOf",
                    "zstd" => "--zstd -xOf",
                    _ => "-xOf",
                };
                format!("{PIPE_IN}: tar {options} {name} | profile-loader … -")
            }
            Self::Behind(purpose, command, bytes) => {
                let rest = fed("tail -c +N FILE", name, form).replacen("+N", &format!("+{}", bytes + 1), 1);
                format!("{purpose}: {rest} | {}", without_file(command))
            }
        }
    }
}

/// What came in through a pipe is to be converted in that pipe, and what is compressed behind its decompressor.
fn fed(command: &str, name: &str, form: &str) -> String {
    match (decompressor(form), name) {
        (None, "-") => without_file(command),
        (None, _) => command.replace("FILE", &quoted(name)),
        (Some(decompressor), "-") => format!("{decompressor} | {}", without_file(command)),
        (Some(decompressor), _) => format!("{decompressor} {} | {}", quoted(name), without_file(command)),
    }
}

fn of_file(command: &str, name: &str, form: &str) -> String {
    match (decompressor(form), name) {
        (None, "-") => format!("cat > FILE && {command}"),
        (None, _) => command.replace("FILE", &quoted(name)),
        (Some(decompressor), "-") => format!("{decompressor} > FILE && {command}"),
        (Some(decompressor), _) => format!("{decompressor} {} > FILE && {command}", quoted(name)),
    }
}

fn decompressor(form: &str) -> Option<&'static str> {
    match form {
        "gzip" => Some("gunzip -c"),
        "zstd" => Some("zstd -dc"),
        _ => None,
    }
}

fn without_file(command: &str) -> String {
    command.replace(" < FILE", "").replace(" FILE", "")
}

/// A name as one word of a POSIX shell, which is no option.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| {
        c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ',' | ':' | '@' | '%' | '=')
    };
    let name = if name.starts_with('-') { format!("./{name}") } else { name.to_owned() };
    if name.chars().all(is_plain) { name } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_what_it_is_given() {
        let jq = Fix::Command("do", "jq . FILE");
        let tr = Fix::Command("do", "tr a b < FILE");
        let unzip = Fix::FileCommand("do", "unzip -p FILE | x -");
        for (fix, name, form, expected) in [
            (&jq, "a.json", "plain", "do: jq . a.json"),
            (&jq, "-", "plain", "do: jq ."),
            (&jq, "a.gz", "gzip", "do: gunzip -c a.gz | jq ."),
            (&jq, "-", "zstd", "do: zstd -dc | jq ."),
            (&jq, "it's a.json", "plain", r"do: jq . 'it'\''s a.json'"),
            (&jq, "-a.json", "plain", "do: jq . ./-a.json"),
            (&tr, "a", "plain", "do: tr a b < a"),
            (&tr, "-", "plain", "do: tr a b"),
            (&tr, "a", "zstd", "do: zstd -dc a | tr a b"),
            (&unzip, "a", "plain", "do: unzip -p a | x -"),
            (&unzip, "-", "plain", "do: cat > FILE && unzip -p FILE | x -"),
            (&unzip, "a", "gzip", "do: gunzip -c a > FILE && unzip -p FILE | x -"),
            (&Fix::Tar, "a", "gzip", "pipe it in: tar -xzOf a | profile-loader … -"),
            (&Fix::Tar, "-", "plain", "pipe it in: tar -xOf - | profile-loader … -"),
            (&Fix::Behind("do", "x FILE", 0), "a", "plain", "do: x a"),
            (&Fix::Behind("do", "x FILE", 1), "a", "plain", "do: tail -c +2 a | x"),
            (&Fix::Behind("do", "x FILE", 1), "-", "gzip", "do: gunzip -c | tail -c +2 | x"),
        ] {
            assert_eq!(fix.text(name, form), expected);
        }
    }
}
