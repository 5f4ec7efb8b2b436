//! Values for parameters in a file of their own.

use std::path::{Path, PathBuf};

use syncline::service::{Context, Files, Origin, Planned, Report, plan_files};
use tempfile::TempDir;

const PLANT: &str = "metadata: {name: plant}
parameters:
  machine: {type: string}
  qos: {type: integer, default: 0}
  times: {type: object, default: {}}
resources:
  server: {type: 'Cybus::Server::Http'}
  node:
    type: Cybus::Node::Http
    properties:
      parent: !ref server
      method: GET
      route: /x
      operation: transaction
      topic: !ref machine
      qos: !ref qos
      transaction: !ref times
";

struct Bench {
    folder: TempDir,
    context: Context,
}

impl Bench {
    fn new(values: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plant.yml"), PLANT).unwrap();
        let path = folder.path().join("values");
        std::fs::write(&path, values).unwrap();
        let context = Context {
            values: Some(path),
            ..Context::default()
        };
        Self { folder, context }
    }

    fn services(&self) -> Vec<PathBuf> {
        vec![self.folder.path().join("plant.yml")]
    }

    fn plan(&self) -> Result<Planned, Report> {
        plan_files(&self.services(), &self.context)
    }

    /// What is told, without the folder.
    fn told(&self) -> String {
        let report = self.plan().unwrap_err().to_string();
        let folder = format!("{}/", self.folder.path().display());
        report.replace(&folder, "")
    }
}

fn topic(planned: &Planned) -> &str {
    planned.plan.services[0].http_servers[0].nodes[0].topic.as_str()
}

#[test]
fn values_come_from_a_file_and_flags_go_before() {
    let mut bench = Bench::new("# of line 7\nmachine: 'press: 2'\nqos: 1\ntimes:\n  timeout: 50\n");
    let planned = bench.plan().unwrap();
    let node = &planned.plan.services[0].http_servers[0].nodes[0];
    assert_eq!((topic(&planned), node.qos as u8), ("services/plant/press: 2", 1));
    bench
        .context
        .parameters
        .insert("machine".to_owned(), "saw".to_owned());
    assert_eq!(topic(&bench.plan().unwrap()), "services/plant/saw");
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_place_and_without_its_text() {
    let told = |values: &str| Bench::new(values).told();
    for (values, place, message) in [
        (
            "machine: a\nqos: s3cret\n",
            "values:2:6",
            "the value given for parameter `qos` is not an integer",
        ),
        (
            "machine: a\nqso: s3cret\n",
            "values:2:6",
            "no file declares the parameter `qso`",
        ),
        ("machine: a\ns3cret: [\n", "values:", "error"),
        (
            "- s3cret\n",
            "values:1:1",
            "expected a mapping of parameters to their values",
        ),
        (
            "machine: a\ntimes: {timeout: !sub s3cret}\n",
            "values:2:18",
            "`!sub` is not possible in a file of values",
        ),
    ] {
        let told = told(values);
        assert!(told.contains(place) && told.contains(message), "{values}: {told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
    let missing = Bench::new("{}\n").told();
    assert!(missing.contains("--values FILE"), "{missing}");
    let mut bench = Bench::new("machine: a\n");
    bench.context.values = Some(bench.folder.path().join("elsewhere"));
    let told = bench.told();
    assert!(
        told.contains("elsewhere: error: cannot") || told.contains("No such file"),
        "{told}"
    );
}

#[test]
fn a_file_of_values_that_changes_is_another_reading() {
    let bench = Bench::new("machine: a\n");
    let files = Files::new(Origin::Files(bench.services()), bench.context.clone());
    let before = files.read();
    assert_eq!(topic(before.outcome.as_ref().unwrap()), "services/plant/a");
    let path: &Path = bench.context.values.as_deref().unwrap();
    std::fs::write(path, "machine: b\n").unwrap();
    let after = files.read();
    assert_ne!(before.digest, after.digest);
    assert_eq!(topic(after.outcome.as_ref().unwrap()), "services/plant/b");
}
