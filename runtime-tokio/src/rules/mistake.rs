//! A mistake of syntax in the words of its writer, and its place, for the parser tells none.

use jsonata_core::parser::ParserError;

/// The parser's names of what is written with signs.
const SIGNS: [(&str, &str); 40] = [
    ("Plus", "+"),
    ("Minus", "-"),
    ("Star", "*"),
    ("StarStar", "**"),
    ("Slash", "/"),
    ("Percent", "%"),
    ("Equal", "="),
    ("NotEqual", "!="),
    ("LessThan", "<"),
    ("LessThanOrEqual", "<="),
    ("GreaterThan", ">"),
    ("GreaterThanOrEqual", ">="),
    ("And", "and"),
    ("Or", "or"),
    ("In", "in"),
    ("Ampersand", "&"),
    ("Dot", "."),
    ("DotDot", ".."),
    ("Question", "?"),
    ("QuestionQuestion", "??"),
    ("QuestionColon", "?:"),
    ("Colon", ":"),
    ("ColonEqual", ":="),
    ("TildeArrow", "~>"),
    ("LeftParen", "("),
    ("RightParen", ")"),
    ("LeftBracket", "["),
    ("RightBracket", "]"),
    ("LeftBrace", "{"),
    ("RightBrace", "}"),
    ("Comma", ","),
    ("Semicolon", ";"),
    ("Caret", "^"),
    ("Pipe", "|"),
    ("Hash", "#"),
    ("At", "@"),
    ("True", "true"),
    ("False", "false"),
    ("Null", "null"),
    ("Undefined", "undefined"),
];
/// How the parser begins what it says of something left over.
const LEFT_OVER: &str = "S0201: Syntax error: ";

/// What the parser says, with what stands in the expression in place of the parser's own names.
pub(super) fn in_words(error: &ParserError) -> String {
    match error {
        ParserError::UnexpectedToken(token) if sign(token).is_some() => {
            format!("S0211: found {}, expected a value", written(token))
        }
        ParserError::Expected { expected, found } if expected != "parameter name" => match found.as_str() {
            "Eof" => format!("S0203: expected {} before the end", written(expected)),
            found => format!("S0202: found {}, expected {}", written(found), written(expected)),
        },
        ParserError::InvalidSyntax(message) => match message.strip_prefix(LEFT_OVER) {
            Some(token) => format!("S0201: found {}, expected an operator or the end", written(token)),
            None => message.clone(),
        },
        other => other.to_string(),
    }
}

fn sign(token: &str) -> Option<&'static str> {
    let mut signs = SIGNS.iter();
    signs.find(|(name, _)| *name == token).map(|(_, sign)| *sign)
}

/// What stands in the expression, by the parser's name for it.
fn written(token: &str) -> String {
    if let Some(sign) = sign(token) {
        return format!("`{sign}`");
    }
    let (kind, inside) = token.split_once('(').unwrap_or((token, ""));
    let inside = inside.strip_suffix(')').unwrap_or(inside).trim_matches('"');
    match kind {
        "Eof" => "the end".to_owned(),
        "String" => "a text".to_owned(),
        "Identifier" | "Number" | "Function" => format!("`{inside}`"),
        "Variable" => format!("`${inside}`"),
        "ParentVariable" => format!("`$${inside}`"),
        _ if token.starts_with("Regex") => "a regular expression".to_owned(),
        _ => token.to_owned(),
    }
}

/// Where in `source` the mistake is that `message` tells of, in bytes: at the end of its shortest beginning that has the same
/// mistake, for what follows a mistake does not matter. `mistake` tells what is wrong with a beginning.
pub(super) fn place(source: &str, message: &str, mistake: impl Fn(&str) -> Option<String>) -> usize {
    let ends: Vec<usize> = source.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
    let first = ends.partition_point(|end| mistake(&source[..*end]).as_deref() != Some(message));
    let end = ends.get(first).copied().unwrap_or(source.len());
    let upto = source[..end].trim_end();
    upto.char_indices().next_back().map_or(0, |(at, _)| at)
}
