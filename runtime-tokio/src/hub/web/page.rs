//! The administrator's pages: plain HTML that a keyboard suffices for, every text escaped.

use std::fmt::{self, Write as _};

use tokio::time::Instant;

use super::login::Session;
use crate::hub::Hub;
use crate::hub::permission::suggested;
use crate::hub::registry::{Pending, Way};
use crate::hub::store::User;

/// A text as HTML shows it, also inside a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // What a browser would not show, or show as something else, such as a change of direction.
                character if character.is_control() && character != '\n' => f.write_char('\u{fffd}')?,
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('\u{fffd}')?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// The page that asks for the password.
pub(super) fn login(wrong: Option<&str>) -> String {
    let wrong = alert(wrong);
    let main = format!(
        "<h1>Syncline hub</h1>{wrong}\
         <form method=\"post\" action=\"/login\">\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required autofocus>\
         <button id=\"login\">Log in</button></form>"
    );
    document("Log in", "", &main)
}

/// Registry, users and agents.
pub(super) fn overview(hub: &Hub, session: &Session) -> String {
    let mut main = String::from("<h1>User Management</h1>");
    main.push_str(&registry(hub, session));
    main.push_str(&users(hub));
    main.push_str(&agents(hub));
    document("User Management", &logout(session), &main)
}

fn registry(hub: &Hub, session: &Session) -> String {
    let now = Instant::now();
    let mut registry = hub.directory.registry();
    let (state, action, button) = match registry.unlocked_for(now) {
        Some(left) => (
            format!(
                "Unlocked for {} more minutes: who asks to register waits below.",
                left.as_secs().div_ceil(60)
            ),
            "/lock",
            "<button id=\"lock\">Lock now</button>",
        ),
        None => (
            "Locked: nobody new can ask to register.".to_owned(),
            "/unlock",
            "<button id=\"unlock\">Unlock for 5 minutes</button>",
        ),
    };
    let version = registry.version();
    let mut rows = Vec::new();
    for pending in registry.pending(now) {
        let Pending {
            id,
            claim,
            pairing_id,
            ..
        } = pending;
        let way = match (claim.way, &claim.csr) {
            (Way::Rest, None) => "REST",
            (Way::Rest, Some(_)) => "REST, with a certificate to sign",
            (Way::Mqtt, _) => "MQTT",
        };
        rows.push(format!(
            "<tr><td>{}</td><td class=\"pairing-id\">{pairing_id}</td><td>{}</td><td>{way}</td>\
             <td><a id=\"review-{}\" href=\"/pending?id={}\">Review</a></td></tr>",
            Escaped(&claim.username),
            Escaped(&claim.from.to_canonical().to_string()),
            id.0,
            id.0
        ));
    }
    let waiting = table(
        &["Username", "Pairing ID", "From", "Way", "Action"],
        &rows,
        "Nobody waits.",
    );
    format!(
        "<section aria-labelledby=\"client-registry\" data-version=\"{version}\">\
         <h2 id=\"client-registry\">Client Registry</h2><p id=\"state\">{state}</p>\
         <form method=\"post\" action=\"{action}\">{}{button}</form>{waiting}</section>",
        csrf(session)
    )
}

fn users(hub: &Hub) -> String {
    let kept = hub.directory.kept();
    let rows: Vec<String> = kept
        .users
        .iter()
        .map(|(name, user)| {
            let permissions: Vec<String> = user
                .permissions
                .iter()
                .map(|permission| Escaped(&permission.to_string()).to_string())
                .collect();
            let link: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
            format!(
                "<tr><td>{}</td><td>{}</td><td><a id=\"user-{}\" href=\"/user?name={}\">Change</a></td></tr>",
                Escaped(name),
                permissions.join("<br>"),
                Escaped(name),
                Escaped(&link)
            )
        })
        .collect();
    let table = table(&["Username", "Permissions", "Action"], &rows, "There are none.");
    format!("<section aria-labelledby=\"users\"><h2 id=\"users\">Users</h2>{table}</section>")
}

fn agents(hub: &Hub) -> String {
    let rows: Vec<String> = hub
        .overview
        .agents()
        .iter()
        .map(|(name, presence)| {
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                Escaped(name),
                Escaped(&presence.status),
                Escaped(&presence.version),
                Escaped(&presence.hostname)
            )
        })
        .collect();
    let table = table(
        &["Agent", "Status", "Version", "Host"],
        &rows,
        "None has presented itself since the hub was started.",
    );
    format!("<section aria-labelledby=\"agents\"><h2 id=\"agents\">Agents</h2>{table}</section>")
}

/// One claim, to be granted or denied.
pub(super) fn review(session: &Session, pending: &Pending, wrong: Option<&str>) -> String {
    let (name, id) = (&pending.claim.username, pending.id.0);
    let csrf = csrf(session);
    let suggested = suggested(name);
    let main = format!(
        "<h1>Request of {}</h1>{}\
         <p>Pairing ID <strong class=\"pairing-id\">{}</strong>. Compare it with the one in the agent's log: \
         a rival under the same name shows another.</p>\
         <form method=\"post\" action=\"/grant\">{csrf}<input type=\"hidden\" name=\"id\" value=\"{id}\">{}\
         <button id=\"grant\">Grant</button></form>\
         <form method=\"post\" action=\"/deny\">{csrf}<input type=\"hidden\" name=\"id\" value=\"{id}\">\
         <button id=\"deny\" class=\"danger\">Deny</button></form>",
        Escaped(name),
        alert(wrong),
        pending.pairing_id,
        permissions_field(&suggested)
    );
    document("Request", &logout(session), &main)
}

/// One user, to be changed or deleted.
pub(super) fn user(session: &Session, name: &str, user: &User, wrong: Option<&str>) -> String {
    let csrf = csrf(session);
    let permissions: Vec<String> = user.permissions.iter().map(ToString::to_string).collect();
    let main = format!(
        "<h1>User {0}</h1>{1}\
         <form method=\"post\" action=\"/permit\">{csrf}<input type=\"hidden\" name=\"name\" value=\"{0}\">{2}\
         <button id=\"permit\">Save</button></form>\
         <form method=\"post\" action=\"/delete\">{csrf}<input type=\"hidden\" name=\"name\" value=\"{0}\">\
         <p>A deleted user is disconnected and has to register again.</p>\
         <button id=\"delete\" class=\"danger\">Delete</button></form>",
        Escaped(name),
        alert(wrong),
        permissions_field(&permissions.join("\n"))
    );
    document("User", &logout(session), &main)
}

/// One sentence.
pub(super) fn message(session: Option<&Session>, text: &str) -> String {
    let header = session.map(logout).unwrap_or_default();
    let main = format!("<h1>Syncline hub</h1>{}", alert(Some(text)));
    document("Syncline hub", &header, &main)
}

fn permissions_field(value: &str) -> String {
    format!(
        "<label for=\"permissions\">Permissions</label>\
         <p id=\"permissions-help\">One a line: <code>read</code>, <code>write</code> or <code>readwrite</code>, and a topic \
         filter. None at all lets the user connect and do nothing.</p>\
         <textarea id=\"permissions\" name=\"permissions\" rows=\"6\" spellcheck=\"false\" \
         aria-describedby=\"permissions-help\">\n{}</textarea>",
        Escaped(value)
    )
}

fn table(headings: &[&str], rows: &[String], empty: &str) -> String {
    if rows.is_empty() {
        return format!("<p>{empty}</p>");
    }
    let headings: String = headings
        .iter()
        .map(|heading| format!("<th scope=\"col\">{heading}</th>"))
        .collect();
    format!(
        "<table><thead><tr>{headings}</tr></thead><tbody>{}</tbody></table>",
        rows.concat()
    )
}

fn alert(text: Option<&str>) -> String {
    text.map(|text| format!("<p role=\"alert\" class=\"alert\">{}</p>", Escaped(text)))
        .unwrap_or_default()
}

fn csrf(session: &Session) -> String {
    format!(
        "<input type=\"hidden\" name=\"csrf\" value=\"{}\">",
        Escaped(&session.csrf)
    )
}

fn logout(session: &Session) -> String {
    format!(
        "<nav aria-label=\"Hub\"><a id=\"home\" href=\"/\">User Management</a> <a href=\"/ca.crt\" download>CA certificate</a>\
         <form method=\"post\" action=\"/logout\">{}<button id=\"logout\">Log out</button></form></nav>",
        csrf(session)
    )
}

fn document(title: &str, header: &str, main: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} – Syncline hub</title><link rel=\"stylesheet\" href=\"/hub.css\">\
         <script src=\"/hub.js\" defer></script></head>\
         <body><header>{header}</header><main id=\"main\">{main}</main></body></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let text = "<script>\"'&\u{202e}\u{1b}";
        assert_eq!(
            Escaped(text).to_string(),
            "&lt;script&gt;&quot;&#39;&amp;\u{fffd}\u{fffd}"
        );
        let page = message(None, text);
        assert!(!page.contains("<script>\""), "{page}");
    }

    #[test]
    fn pages_have_nothing_inline_that_their_policy_would_forbid() {
        for page in [login(Some("wrong")), message(None, "text")] {
            for forbidden in ["style=", " onclick", " onsubmit", "javascript:", "<style"] {
                assert!(!page.contains(forbidden), "{forbidden} in {page}");
            }
        }
    }
}
