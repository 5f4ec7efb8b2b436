//! Which node answers a request: paths without regard to case, then methods.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method};
use percent_encoding::percent_decode_str;

use super::openapi;
use super::provide::Provider;
use super::receive::Receiver;
use super::transaction::Transaction;
use crate::current::Current;
use crate::service::plan::{HttpNodePlan, HttpServerPlan, Plan};
use crate::unconfirmed::Unconfirmed;

/// Two nodes that would answer the same requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "nodes {first} and {second} both answer {method} {path}, paths differ only in case if at all: give one of them \
     another route or method"
)]
pub struct RouteConflict {
    /// The node that was there first.
    pub first: String,
    /// The node that came second.
    pub second: String,
    /// Method of both.
    pub method: Method,
    /// Path of both, in lower case.
    pub path: String,
}

/// The nodes of all HTTP servers of this agent by path and method, each with what its requests do: with `()` as long as no node
/// runs.
#[derive(Debug)]
pub struct Router<A = Action> {
    paths: HashMap<String, Path<A>>,
    /// By the path that a server's paths begin with: origins whose pages may read its answers, where there are any.
    origins: BTreeMap<String, Vec<String>>,
    openapi: Option<Bytes>,
}

impl<A> Default for Router<A> {
    fn default() -> Self {
        Self {
            paths: HashMap::new(),
            origins: BTreeMap::new(),
            openapi: None,
        }
    }
}

/// The router of a listener, which another one may take the place of: each request goes by one of them, as a whole.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    router: Current<Router>,
    unconfirmed: Unconfirmed,
}

#[derive(Debug)]
struct Path<A = Action> {
    routes: Vec<Arc<Route<A>>>,
}

/// What a request to a node does.
#[derive(Debug, Clone)]
pub enum Action {
    /// It is held until its reply has come.
    Transaction(Arc<Transaction>),
    /// Its body is published.
    Receive(Arc<Receiver>),
    /// It is answered with the last value.
    Provide(Arc<Provider>),
}

impl Action {
    /// What provides, where that is what requests do.
    pub(crate) fn provider(&self) -> Option<&Arc<Provider>> {
        match self {
            Self::Provide(provider) => Some(provider),
            Self::Transaction(_) | Self::Receive(_) => None,
        }
    }
}

/// A node as the data plane needs it.
#[derive(Debug)]
pub struct Route<A = Action> {
    service: String,
    resource: String,
    method: Method,
    /// What its requests do.
    pub(super) action: A,
    /// Longest request body in bytes.
    pub(super) max_body: usize,
    /// Origins whose pages may use it.
    origins: Vec<String>,
}

/// Where a request belongs.
#[derive(Debug)]
pub(super) enum Match {
    /// To this node.
    Node(Arc<Route>),
    /// It is `OPTIONS`, and no node takes that: the methods of its path.
    Options(HeaderValue),
    /// No node of this path takes the method: those that are taken.
    WrongMethod(HeaderValue),
    /// It asks for the description of all nodes.
    Described(Bytes),
    /// No node has the path.
    Unknown,
}

impl<A> Router<A> {
    /// Adds a node of `server` of the service with the id `service`.
    ///
    /// # Errors
    /// [`RouteConflict`] if another node has the same path and method; this router is unchanged then.
    pub fn add(
        &mut self,
        server: &HttpServerPlan,
        plan: &HttpNodePlan,
        action: A,
    ) -> Result<(), RouteConflict> {
        let base = normal(&server.base_path).unwrap_or_else(|| server.base_path.to_lowercase());
        let path = format!("{}{}", server.base_path, plan.route);
        let path = normal(&path).unwrap_or_else(|| path.to_lowercase());
        let route = Arc::new(Route {
            service: plan.service.clone(),
            resource: plan.resource.clone(),
            method: plan.method.clone(),
            action,
            max_body: server.request_max_body_size,
            origins: server.cors_origins.clone(),
        });
        match self.paths.entry(path) {
            Entry::Vacant(entry) => {
                entry.insert(Path { routes: vec![route] });
            }
            Entry::Occupied(mut entry) => {
                if let Some(first) = entry
                    .get()
                    .routes
                    .iter()
                    .find(|other| other.method == route.method)
                {
                    return Err(RouteConflict {
                        first: first.resource.clone(),
                        second: route.resource.clone(),
                        method: route.method.clone(),
                        path: entry.key().clone(),
                    });
                }
                entry.get_mut().routes.push(route);
            }
        }
        if !server.cors_origins.is_empty() {
            let origins = self.origins.entry(base).or_default();
            origins.extend(server.cors_origins.iter().cloned());
        }
        Ok(())
    }

    /// Serves `document` as the description of all nodes.
    pub fn describe(&mut self, document: Bytes) {
        self.openapi = Some(document);
    }
}

impl Router<()> {
    /// The nodes of `plan`.
    ///
    /// # Errors
    /// [`RouteConflict`] if two of them have the same path and method.
    pub fn of(plan: &Plan) -> Result<Self, RouteConflict> {
        let mut router = Self::default();
        for service in &plan.services {
            for server in &service.http_servers {
                for node in &server.nodes {
                    router.add(server, node, ())?;
                }
            }
        }
        Ok(router)
    }

    /// Gives every node its `action`, by service and resource; those without one are left out.
    #[must_use]
    pub fn serve(self, action: impl Fn(&str, &str) -> Option<Action>) -> Router {
        let serve = |route: &Arc<Route<()>>| {
            let action = action(&route.service, &route.resource)?;
            Some(Arc::new(Route {
                service: route.service.clone(),
                resource: route.resource.clone(),
                method: route.method.clone(),
                action,
                max_body: route.max_body,
                origins: route.origins.clone(),
            }))
        };
        let paths = self.paths.into_iter().map(|(path, Path { routes })| {
            let routes = routes.iter().filter_map(serve).collect();
            (path, Path { routes })
        });
        Router {
            paths: paths.collect(),
            origins: self.origins,
            openapi: self.openapi,
        }
    }
}

impl Router {
    /// The origins whose pages may read the answers of a path, and its methods where it has any; `None` where no page of another origin
    /// may.
    pub(super) fn origins(&self, path: &str) -> Option<(Vec<&str>, Option<HeaderValue>)> {
        let (origins, methods): (Vec<&String>, _) = match self.at(path) {
            Some(path) => {
                let origins = path.routes.iter().flat_map(|route| &route.origins);
                (origins.collect(), Some(allow(&path.routes)))
            }
            None => {
                let path = normal(path)?;
                let is_above = |base: &str| {
                    let rest = path.strip_prefix(base);
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                let servers = self.origins.iter().filter(|(base, _)| is_above(base));
                (servers.flat_map(|(_, origins)| origins).collect(), None)
            }
        };
        let origins: Vec<&str> = origins.into_iter().map(String::as_str).collect();
        (!origins.is_empty()).then_some((origins, methods))
    }

    /// Finds the node for a request. `HEAD` is taken by a node for `GET` unless it has a node of its own.
    pub(super) fn find(&self, method: &Method, path: &str) -> Match {
        if path == "*" && *method == Method::OPTIONS {
            return Match::Options(self.all_methods());
        }
        if let Some(document) = self.openapi.as_ref().filter(|_| path == openapi::PATH) {
            return match *method {
                Method::GET | Method::HEAD => Match::Described(document.clone()),
                _ => Match::WrongMethod(HeaderValue::from_static("GET, HEAD")),
            };
        }
        let Some(path) = self.at(path) else {
            return Match::Unknown;
        };
        let route = path.route(method);
        match route.or_else(|| path.route(&Method::GET).filter(|_| *method == Method::HEAD)) {
            Some(route) => Match::Node(Arc::clone(route)),
            None if *method == Method::OPTIONS => Match::Options(allow(&path.routes)),
            None => Match::WrongMethod(allow(&path.routes)),
        }
    }

    fn at(&self, path: &str) -> Option<&Path> {
        // Most clients spell a path as it is kept; an escape may stand for what only looks the same.
        if !path.contains('%')
            && let Some(found) = self.paths.get(path)
        {
            return Some(found);
        }
        self.paths.get(&normal(path)?)
    }

    fn all_methods(&self) -> HeaderValue {
        allow(self.paths.values().flat_map(|path| &path.routes))
    }
}

impl Routes {
    /// Requests go by `router`.
    #[must_use]
    pub fn new(router: Router) -> Self {
        Self {
            router: Current::new(router),
            unconfirmed: Unconfirmed::default(),
        }
    }

    /// The next request goes by `router`. One that is being answered keeps the node that it has found.
    pub fn replace(&self, router: Router) {
        self.router.replace(router);
    }

    /// The router of a request that begins now.
    pub(super) fn current(&self) -> Arc<Router> {
        self.router.load()
    }

    /// Requests whose message the broker has not confirmed.
    pub(super) fn unconfirmed(&self) -> &Unconfirmed {
        &self.unconfirmed
    }

    /// How many requests wait for the broker to confirm their message.
    pub(crate) fn publishing(&self) -> usize {
        self.unconfirmed.count()
    }

    /// Has those requests answered with 503, and further ones as well.
    pub(crate) fn give_up(&self) {
        self.unconfirmed.give_up();
    }
}

impl Route {
    /// Whose route it is, in every router.
    pub(super) fn owner(&self) -> [&str; 2] {
        [&self.service, &self.resource]
    }
}

impl Path {
    fn route(&self, method: &Method) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.method == *method)
    }
}

/// The value of `Allow`: sorted, so that it does not depend on the order of files.
fn allow<'a>(routes: impl IntoIterator<Item = &'a Arc<Route>>) -> HeaderValue {
    let mut methods: Vec<_> = routes.into_iter().map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.sort_unstable();
    methods.dedup();
    HeaderValue::from_str(&methods.join(", ")).expect("methods are tokens")
}

/// The spelling by which paths are compared: escapes decoded, lower case, no `/` at the end. `None` for a path that no
/// node can have: not UTF-8, or with an escaped `/`, which is no separator.
pub(crate) fn normal(path: &str) -> Option<String> {
    let mut normal = String::with_capacity(path.len());
    for segment in path.split('/').skip(1) {
        let segment = percent_decode_str(segment).decode_utf8().ok()?;
        if segment.contains('/') {
            return None;
        }
        normal.push('/');
        normal.push_str(&segment.to_lowercase());
    }
    normal.truncate(normal.trim_end_matches('/').len());
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Driver;
    use crate::service::plan::{HttpOperation, RuleList};
    use crate::transport::Endpoint;
    use syncline_core::codec::QoS;
    use syncline_core::flowsync::NodeConfig;
    use syncline_core::session;
    use syncline_core::topic::TopicName;

    struct Plans {
        driver: Driver,
        router: Router,
    }

    impl Plans {
        fn new() -> Self {
            let endpoint = Endpoint {
                host: "localhost".into(),
                port: 1883,
            };
            let driver = Driver::new(endpoint, session::Config::new("test")).unwrap();
            Self {
                driver,
                router: Router::default(),
            }
        }

        fn add(
            &mut self,
            resource: &str,
            method: Method,
            base: &str,
            route: &str,
        ) -> Result<(), RouteConflict> {
            let server = HttpServerPlan {
                resource: "server".into(),
                base_path: base.into(),
                request_max_body_size: 100,
                cors_origins: Vec::new(),
                nodes: Vec::new(),
            };
            let plan = HttpNodePlan {
                service: "s".into(),
                resource: resource.into(),
                method,
                route: route.into(),
                topic: TopicName::new(resource.to_owned()).unwrap(),
                qos: QoS::AtMostOnce,
                operation: HttpOperation::Provide,
                rules: RuleList::default(),
            };
            let node = self.driver.add_node(NodeConfig::new(resource).unwrap()).unwrap();
            let held = Arc::new(Transaction::new(node));
            self.router.add(&server, &plan, Action::Transaction(held))
        }

        fn found(&self, method: Method, path: &str) -> Result<String, Option<String>> {
            match self.router.find(&method, path) {
                Match::Node(route) => Ok(route.resource.clone()),
                Match::Options(allow) | Match::WrongMethod(allow) => {
                    Err(Some(allow.to_str().unwrap().to_owned()))
                }
                Match::Described(_) => Ok("openapi".to_owned()),
                Match::Unknown => Err(None),
            }
        }
    }

    fn plans() -> Plans {
        let mut plans = Plans::new();
        plans
            .add("read", Method::GET, "/data/FlowSync", "/Motor 1")
            .unwrap();
        plans
            .add("write", Method::POST, "/data/flowsync", "/motor 1/")
            .unwrap();
        plans.add("root", Method::PUT, "/data/flowsync", "").unwrap();
        plans
    }

    #[test]
    fn a_path_is_found_in_any_case_and_with_escapes() {
        let plans = plans();
        for path in [
            "/data/FlowSync/Motor%201",
            "/data/flowsync/motor%201",
            "/DATA/fl%6FWSYNC/MOTOR%201/",
        ] {
            assert_eq!(plans.found(Method::GET, path), Ok("read".to_owned()), "{path}");
            assert_eq!(plans.found(Method::POST, path), Ok("write".to_owned()), "{path}");
        }
        assert_eq!(plans.found(Method::PUT, "/data/flowsync"), Ok("root".to_owned()));
    }

    #[test]
    fn another_path_is_unknown() {
        let plans = plans();
        for path in [
            "/",
            "",
            "/data",
            "/data/flowsync%2Fmotor%201",
            "/data/flowsync/motor%201/x",
            "/data/%ff",
            "*",
        ] {
            assert_eq!(plans.found(Method::GET, path), Err(None), "{path}");
        }
    }

    #[test]
    fn another_method_is_told_which_are_allowed() {
        let plans = plans();
        let allow = Err(Some("GET, HEAD, OPTIONS, POST".to_owned()));
        assert_eq!(plans.found(Method::DELETE, "/data/flowsync/motor%201"), allow);
        assert_eq!(plans.found(Method::OPTIONS, "/data/flowsync/motor%201"), allow);
        assert_eq!(
            plans.found(Method::GET, "/data/flowsync"),
            Err(Some("OPTIONS, PUT".to_owned()))
        );
        assert_eq!(
            plans.found(Method::OPTIONS, "*"),
            Err(Some("GET, HEAD, OPTIONS, POST, PUT".to_owned()))
        );
    }

    #[test]
    fn head_is_answered_by_the_node_for_get() {
        let plans = plans();
        assert_eq!(
            plans.found(Method::HEAD, "/data/flowsync/motor%201"),
            Ok("read".to_owned())
        );
        assert!(plans.found(Method::HEAD, "/data/flowsync").is_err());
    }

    #[test]
    fn two_nodes_for_the_same_requests_conflict_by_name() {
        let mut plans = plans();
        let conflict = plans
            .add("other", Method::GET, "/data/FLOWSYNC", "/motor%201")
            .unwrap_err();
        assert_eq!(
            (conflict.first.as_str(), conflict.second.as_str()),
            ("read", "other")
        );
        assert_eq!(conflict.path, "/data/flowsync/motor 1");
        assert_eq!(
            plans.found(Method::GET, "/data/flowsync/motor%201"),
            Ok("read".to_owned())
        );
    }
}
