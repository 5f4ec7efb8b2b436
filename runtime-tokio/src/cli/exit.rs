//! Exit codes: one list, from which `--help`, the manual and `docs/commands.md` take them.

use std::process::ExitCode;

/// How a command ends. Numbers above 63 are those of sysexits.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Ok,
    Failure,
    Usage,
    Unreachable,
    Software,
    InputOutput,
    Temporary,
    Refused,
    Configuration,
    Interrupted,
    Terminated,
}

impl Exit {
    /// Every way, by rising number.
    pub(super) const ALL: [Self; 11] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::Unreachable,
        Self::Software,
        Self::InputOutput,
        Self::Temporary,
        Self::Refused,
        Self::Configuration,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the caller sees.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Unreachable => 69,
            Self::Software => 70,
            Self::InputOutput => 74,
            Self::Temporary => 75,
            Self::Refused => 77,
            Self::Configuration => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What it means, for documentation.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Failure => "the answer is no: not healthy, or the responder reported an error",
            Self::Usage => "the command line is wrong",
            Self::Unreachable => "broker, registry or running agent cannot be reached",
            Self::Software => "a bug in syncline",
            Self::InputOutput => "the data folder or an output cannot be read or written",
            Self::Temporary => {
                "try again later: registration is pending, or another process uses the data folder"
            }
            Self::Refused => "broker or registry refuse this agent",
            Self::Configuration => "a variable, a certificate or a commissioning file is wrong",
            Self::Interrupted => "stopped by SIGINT",
            Self::Terminated => "stopped by SIGTERM",
        }
    }

    /// The list as aligned columns.
    pub(super) fn rows() -> Vec<[String; 2]> {
        Self::ALL
            .map(|exit| [exit.code().to_string(), exit.meaning().to_owned()])
            .to_vec()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_each_code_once_in_rising_order() {
        let codes = Exit::ALL.map(Exit::code);
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    }
}
