//! Nodes of the plan as nodes of the address space.

use opcua::nodes::ReferenceDirection::Inverse;
use opcua::nodes::{AccessLevel, MethodBuilder, NodeType, ObjectBuilder, VariableBuilder};
use opcua::server::address_space::AddressSpace;
use opcua::types::argument::Argument;
use opcua::types::{
    DataValue, LocalizedText, NodeId, ObjectId, ObjectTypeId, QualifiedName, ReferenceTypeId, StatusCode,
    UAString, VariableTypeId, Variant,
};

use super::text;
use super::value::Shape;
use crate::service::plan::{ArgumentPlan, NodeKind, OpcuaNodePlan, OpcuaOperation};

/// The properties of a method.
const ARGUMENTS: [&str; 2] = ["InputArguments", "OutputArguments"];

/// Adds a node below `parent`, or below the server's objects; `false` where its id is in use.
pub(super) fn insert(
    space: &mut AddressSpace,
    plan: &OpcuaNodePlan,
    id: &NodeId,
    parent: Option<&NodeId>,
    initial: Option<Variant>,
) -> bool {
    let browse_name = QualifiedName::new(id.namespace, plan.browse_name.as_str());
    let display_name = LocalizedText::new("", &plan.browse_name);
    let objects = ObjectId::ObjectsFolder.into();
    let (parent, reference) = match (parent, &plan.kind) {
        // What is organized can be found, but not called.
        (None, NodeKind::Object) => (&objects, ReferenceTypeId::Organizes),
        (parent, _) => (parent.unwrap_or(&objects), ReferenceTypeId::HasComponent),
    };
    match &plan.kind {
        NodeKind::Object => ObjectBuilder::new(id, browse_name, display_name)
            .has_type_definition(ObjectTypeId::BaseObjectType)
            .reference(parent.clone(), reference, Inverse)
            .insert(space),
        NodeKind::Variable {
            data_type,
            value_rank,
            operation,
            ..
        } => {
            let shape = Shape::new(*data_type, *value_rank);
            let access = access_level(operation.as_ref());
            let is_new = VariableBuilder::new(id, browse_name, display_name)
                .has_type_definition(VariableTypeId::BaseDataVariableType)
                .reference(parent.clone(), reference, Inverse)
                .data_type(shape.data_type_id())
                .value_rank(shape.rank())
                .access_level(access)
                .user_access_level(access)
                .insert(space);
            if let Some(NodeType::Variable(variable)) = space.find_mut(id).filter(|_| is_new) {
                variable.set_data_value(first_value(initial));
            }
            is_new
        }
        NodeKind::Method {
            input,
            output,
            operation,
        } => {
            let mut method = MethodBuilder::new(id, browse_name, display_name)
                .reference(parent.clone(), reference, Inverse)
                .executable(operation.is_some())
                .user_executable(operation.is_some());
            if !input.is_empty() {
                method = method.input_args(space, &arguments_id(id, "InputArguments"), &arguments(input));
            }
            if !output.is_empty() {
                method = method.output_args(space, &arguments_id(id, "OutputArguments"), &arguments(output));
            }
            method.insert(space)
        }
    }
}

/// Removes a node with what belongs to it alone.
pub(super) fn remove(space: &mut AddressSpace, id: &NodeId) {
    for name in ARGUMENTS {
        space.delete(&arguments_id(id, name), true);
    }
    space.delete(id, true);
}

/// Has a node stand below a parent that was added after it.
pub(super) fn hold(space: &mut AddressSpace, parent: &NodeId, id: &NodeId) {
    space.insert_reference(parent, id, ReferenceTypeId::HasComponent);
}

/// All ids that a node takes up, its own and those of what belongs to it alone.
pub(super) fn ids(id: &NodeId, plan: &OpcuaNodePlan) -> Vec<NodeId> {
    let mut ids = vec![id.clone()];
    if matches!(plan.kind, NodeKind::Method { .. }) {
        ids.extend(ARGUMENTS.map(|name| arguments_id(id, name)));
    }
    ids
}

/// What clients may do with a variable: one that only provides, or that has nothing to do with MQTT, is not theirs to write.
fn access_level(operation: Option<&OpcuaOperation>) -> AccessLevel {
    match operation {
        None | Some(OpcuaOperation::Exchange { receives: false, .. }) => AccessLevel::CURRENT_READ,
        Some(OpcuaOperation::Transaction { .. } | OpcuaOperation::Exchange { .. }) => {
            AccessLevel::CURRENT_READ | AccessLevel::CURRENT_WRITE
        }
    }
}

/// The value that a variable begins with; without one it says that it waits.
fn first_value(initial: Option<Variant>) -> DataValue {
    match initial {
        Some(value) => DataValue::new_now(value),
        None => DataValue::new_now_status(Variant::Empty, StatusCode::BadWaitingForInitialData),
    }
}

fn arguments(plans: &[ArgumentPlan]) -> Vec<Argument> {
    let argument = |plan: &ArgumentPlan| {
        let shape = Shape::new(plan.data_type, plan.value_rank);
        Argument {
            name: UAString::from(plan.name.as_str()),
            data_type: shape.data_type_id(),
            value_rank: shape.rank(),
            // As many as there are dimensions, each of any length.
            array_dimensions: usize::try_from(shape.rank()).ok().map(|rank| vec![0; rank]),
            description: LocalizedText::new("", &plan.description),
        }
    };
    plans.iter().map(argument).collect()
}

/// The id of a method's own property; a method with a numeric id is told from one whose text looks like it.
fn arguments_id(method: &NodeId, name: &str) -> NodeId {
    NodeId::new(method.namespace, format!("{}/{name}", text::node_id(method)))
}
