//! `syncline access`: entries for the file of those who may call the HTTP servers and log in to the OPC UA server.

use std::io::{BufRead as _, IsTerminal as _};

use clap::Subcommand;
use secrecy::ExposeSecret as _;
use syncline::http::{AccessError, Entry};

use super::TEMPLATE;
use super::exit::Exit;
use super::output;
use super::run::{failed, one_shot};

/// Longest line that is read as a password.
const MAX_LINE: u64 = 4096;

/// Make an entry for the file that SYNCLINE_HTTP_AUTH names
#[derive(Debug, clap::Args)]
#[command(
    help_template = TEMPLATE,
    before_help = "Examples:
  syncline access user press-2 --read 'data/#' --write 'data/plant/+/set' < password >> access.toml
  syncline access token dashboard --read 'data/#' >> access.toml
  SYNCLINE_HTTP_AUTH=access.toml syncline run"
)]
pub(super) struct Access {
    #[command(subcommand)]
    pub(super) command: Credential,
}

#[derive(Debug, Subcommand)]
pub(super) enum Credential {
    User(User),
    Token(Token),
}

/// A name and a password, which is the first line of the standard input
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE)]
pub(super) struct User {
    /// Name to log in with
    name: String,
    #[command(flatten)]
    permissions: Permissions,
}

/// A random text to send as `Authorization: Bearer`; it is printed once, on the standard error
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE)]
pub(super) struct Token {
    /// What to call it in the file
    name: String,
    #[command(flatten)]
    permissions: Permissions,
}

#[derive(Debug, clap::Args)]
struct Permissions {
    /// Paths that may be read, of URLs and of OPC UA nodes: `+` is one segment, `#` all that follow; may be given more than once
    #[arg(long, value_name = "PATTERN")]
    read: Vec<String>,
    /// Paths that may be written to, with any method but GET, HEAD and OPTIONS, and OPC UA nodes that may be written or called; may
    /// be given more than once
    #[arg(long, value_name = "PATTERN")]
    write: Vec<String>,
}

impl Permissions {
    fn read(&self) -> Vec<&str> {
        self.read.iter().map(String::as_str).collect()
    }

    fn write(&self) -> Vec<&str> {
        self.write.iter().map(String::as_str).collect()
    }
}

pub(super) fn main(credential: Credential) -> Exit {
    match credential {
        Credential::User(user) => {
            let password = match password() {
                Ok(password) => password,
                Err(message) => {
                    output::error(&message);
                    return Exit::Usage;
                }
            };
            let (read, write) = (user.permissions.read(), user.permissions.write());
            match one_shot(Entry::user(&user.name, &password, &read, &write)) {
                Ok(entry) => print(entry),
                Err(exit) => exit,
            }
        }
        Credential::Token(token) => {
            let (read, write) = (token.permissions.read(), token.permissions.write());
            let made = Entry::new_token().and_then(|secret| {
                let entry = Entry::token(&token.name, secret.expose_secret(), &read, &write)?;
                Ok((entry, secret))
            });
            match made {
                Ok((entry, secret)) => {
                    let exit = print(Ok(entry));
                    if exit == Exit::Ok {
                        output::diagnostics(&format!("token, shown once: {}\n", secret.expose_secret()));
                    }
                    exit
                }
                Err(error) => print(Err(error)),
            }
        }
    }
}

fn print(entry: Result<Entry, AccessError>) -> Exit {
    match entry {
        Ok(entry) => output::data(&entry.to_string()),
        Err(AccessError::Hash(error)) => failed(&error.to_string()),
        Err(error) => {
            output::error(&error.to_string());
            Exit::Usage
        }
    }
}

/// The first line of the standard input.
fn password() -> Result<String, String> {
    let stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        output::diagnostics("password, in one line, which is shown while you type: ");
    }
    let mut line = String::new();
    std::io::Read::take(stdin, MAX_LINE)
        .read_line(&mut line)
        .map_err(|error| format!("cannot read the password from the standard input: {error}"))?;
    let password = line.trim_end_matches(['\n', '\r']);
    match password.is_empty() {
        true => Err("found no password on the standard input: write it there, in one line".to_owned()),
        false => Ok(password.to_owned()),
    }
}
