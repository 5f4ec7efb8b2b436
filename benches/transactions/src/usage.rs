//! What a process has used of processor and memory, as the kernel counts it.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// Processor time of all threads that the process has now.
pub fn cpu(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has ended meanwhile is one of the few that these programs end.
        let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let first = text.split_ascii_whitespace().next();
        nanoseconds += first
            .and_then(|number| number.parse::<u64>().ok())
            .with_context(|| format!("schedstat of process {pid} reads `{text}`"))?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory in bytes.
pub fn resident(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok())
        .with_context(|| format!("no VmRSS of process {pid}"))?;
    Ok(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spent_and_memory_taken_show() {
        let pid = std::process::id();
        let (time, memory) = (cpu(pid).unwrap(), resident(pid).unwrap());
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident(pid).unwrap() >= memory + (60 << 20));
        assert!(cpu(pid).unwrap() > time, "{} bytes were written", block.len());
    }
}
