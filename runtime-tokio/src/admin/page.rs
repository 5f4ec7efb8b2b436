//! The status page: one HTML document without scripts, for a look in a browser.

use std::fmt::{self, Write as _};

use crate::status::{InBatches, RuleStatus, Snapshot};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .75rem .25rem 0;\
    border-bottom:1px solid #8884;vertical-align:top}.yes{color:#080}.no{color:#b00}\
    @media(prefers-color-scheme:dark){body{background:#111;color:#eee}.yes{color:#6d6}.no{color:#f77}}";

/// The page that shows `snapshot`.
pub(super) fn html(snapshot: &Snapshot) -> Result<String, fmt::Error> {
    let mut page = String::new();
    let (class, state) = match snapshot.ready {
        true => ("yes", "ready"),
        false => ("no", "not ready"),
    };
    let name = Escaped(&snapshot.agent);
    write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{name}: {state}</title><style>{STYLE}</style><h1>{name} is <span class=\"{class}\">{state}</span></h1>"
    )?;
    if !snapshot.reasons.is_empty() {
        page.push_str("<ul>");
        for reason in &snapshot.reasons {
            write!(page, "<li>{}", Escaped(reason))?;
        }
        page.push_str("</ul>");
    }
    let totals = &snapshot.transactions;
    let facts = [
        ("Version", snapshot.version.clone()),
        ("Host", format!("{}, process {}", snapshot.hostname, snapshot.pid)),
        ("Started", snapshot.started_at.clone()),
        ("Broker", broker(snapshot)),
        (
            "Requests",
            format!(
                "{} held, {} answered, {} refused, {} timed out, {} withdrawn",
                totals.open, totals.replied, totals.failed, totals.timed_out, totals.withdrawn
            ),
        ),
    ];
    page.push_str("<table>");
    for (title, value) in &facts {
        row(&mut page, title, value)?;
    }
    if let Some(central) = &snapshot.central {
        row(&mut page, "Central", &format!("version {}", central.version))?;
    }
    if let Some(registration) = &snapshot.registration {
        row(&mut page, "Registration", &registration.obstacle)?;
        if let Some(pairing_id) = &registration.pairing_id {
            row(&mut page, "Pairing ID", pairing_id)?;
        }
    }
    if let Some(certificate) = &snapshot.certificate {
        let text = format!("{}, until {}", certificate.subject, certificate.not_after);
        row(&mut page, "Certificate", &text)?;
    }
    if let Some(last) = &snapshot.reloads.last {
        row(&mut page, "Reload", &last.to_string())?;
        for error in last.errors.iter().skip(1) {
            row(&mut page, "", error)?;
        }
    }
    page.push_str(
        "</table><h2>Nodes</h2><table><tr><th>Service<th>URL<th>Topic<th>Held<th>State<th>Messages",
    );
    let held = snapshot.nodes.iter().map(|node| {
        let place = [&node.service, &node.method, &node.url, &node.topic];
        (
            place,
            node.in_flight.to_string(),
            node.ready,
            messages(node.rules.as_ref(), node.misfits),
        )
    });
    let exchanges = snapshot.exchanges.iter().map(|node| {
        let place = [&node.service, &node.method, &node.url, &node.topic];
        (
            place,
            node.operation.to_string(),
            node.ready,
            messages(node.rules.as_ref(), node.misfits),
        )
    });
    for ([service, method, url, topic], held, ready, messages) in held.chain(exchanges) {
        let (class, state) = match ready {
            true => ("yes", "ready"),
            false => ("no", "waits for the broker"),
        };
        write!(
            page,
            "<tr><td>{}<td>{} {}<td>{}<td>{}<td class=\"{class}\">{state}<td>{}",
            Escaped(service),
            Escaped(method),
            Escaped(url),
            Escaped(topic),
            Escaped(&held),
            messages
        )?;
    }
    page.push_str("</table>");
    if let Some(opcua) = &snapshot.opcua {
        page.push_str("<h2>OPC UA</h2><table>");
        row(&mut page, "Server", &opcua.url)?;
        let text = format!(
            "{} sessions, {} held, {} refused, {} logins refused",
            opcua.sessions, opcua.held, opcua.refused, opcua.refused_logins
        );
        row(&mut page, "Requests", &text)?;
        page.push_str("</table>");
    }
    connections(&mut page, snapshot)?;
    page.push_str("</html>\n");
    Ok(page)
}

/// Connections to other systems and their endpoints, where there are any.
fn connections(page: &mut String, snapshot: &Snapshot) -> fmt::Result {
    if snapshot.connections.is_empty() {
        return Ok(());
    }
    page.push_str("<h2>Connections</h2><table><tr><th>Service<th>Connection<th>Address<th>State");
    for connection in &snapshot.connections {
        let class = if connection.connected { "yes" } else { "no" };
        write!(
            page,
            "<tr><td>{}<td>{}<td>{}<td class=\"{class}\">{}",
            Escaped(&connection.service),
            Escaped(&connection.resource),
            Escaped(&connection.address),
            Escaped(&connection.state_told())
        )?;
    }
    page.push_str("</table><h2>Endpoints</h2><table><tr><th>Service<th>Endpoint<th>Requests<th>Messages");
    for endpoint in &snapshot.endpoints {
        write!(
            page,
            "<tr><td>{}<td>{} {}<td>{}<td>{} published, {}{} stopped, {} failed, {} dropped",
            Escaped(&endpoint.service),
            Escaped(&endpoint.operation),
            Escaped(&endpoint.resource),
            Escaped(endpoint.requests_told().as_deref().unwrap_or("none")),
            endpoint.published,
            InBatches(endpoint.batched),
            endpoint.stopped,
            endpoint.failed,
            endpoint.overloaded
        )?;
    }
    page.push_str("</table>");
    Ok(())
}

/// What has become of a node's messages, where there is something to tell.
fn messages(rules: Option<&RuleStatus>, misfits: Option<u64>) -> String {
    let misfits = misfits.filter(|count| *count > 0);
    let told = [
        rules.map(RuleStatus::to_string),
        misfits.map(|count| format!("{count} misfits")),
    ];
    told.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn broker(snapshot: &Snapshot) -> String {
    let broker = &snapshot.broker;
    match (&broker.protocol, &broker.since) {
        (Some(protocol), Some(since)) => format!("{}, MQTT {protocol} since {since}", broker.address),
        _ => format!("{}, not connected", broker.address),
    }
}

fn row(page: &mut String, title: &str, value: &str) -> fmt::Result {
    write!(page, "<tr><th>{}<td>{}", Escaped(title), Escaped(value))
}

/// A text as HTML shows it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_chose_cannot_become_markup() {
        assert_eq!(
            Escaped("<b a=\"1\" c='2'>&").to_string(),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;"
        );
    }
}
