//! `syncline config`: the table of variables, and the values as they are.

use syncline::config::{self, Environment};

use super::ConfigCommand;
use super::exit::Exit;
use super::output;

pub(super) fn main(command: ConfigCommand, environment: &Environment) -> Exit {
    match command {
        ConfigCommand::Env { markdown: true } => output::data(&config::markdown()),
        ConfigCommand::Env { markdown: false } => output::data(&output::table(&config::rows())),
        ConfigCommand::Show { origin, overrides } => {
            let loaded = match config::load(&overrides.0, environment) {
                Ok(loaded) => loaded,
                Err(error) => return output::configuration(&error),
            };
            output::warnings(&loaded.warnings);
            let rows: Vec<[String; 3]> = loaded
                .settings
                .iter()
                .map(|resolved| {
                    let setting = resolved.setting.as_ref();
                    [
                        resolved.variable.name.to_owned(),
                        setting
                            .map(|setting| setting.shown().to_owned())
                            .unwrap_or_default(),
                        match setting {
                            _ if !origin => String::new(),
                            Some(setting) => setting.origin().to_string(),
                            None => "unset".to_owned(),
                        },
                    ]
                })
                .collect();
            output::data(&output::table(&rows))
        }
    }
}
