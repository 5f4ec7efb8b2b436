//! Properties of MQTT 5.0: lists under construction, and single ones of what was received.

use syncline_core::codec::{Properties, Property, PropertyBuf, PropertyId};

use crate::border;
use crate::error_text::{ErrorOut, ErrorText, Fault};
use crate::packet::quality;
use crate::pointer::{self, Out, Slice};
use crate::result::Code;

/// A list of properties to send.
#[derive(Debug, Default)]
pub struct PropertiesHandle(pub(crate) PropertyBuf);

/// One property.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct PropertyRecord {
    /// Name of a User Property, else empty.
    pub name: Slice,
    /// Value of a User Property, a text or binary property, else empty.
    pub value: Slice,
    /// Value of a property that is a number or a flag, else 0.
    pub number: u32,
    /// Identifier (MQTT 5.0 section 2.2.2.2), such as 0x26 for a User Property.
    pub id: u8,
}

/// Makes an empty list.
///
/// # Safety
/// `properties` points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_properties_new(properties: *mut *mut PropertiesHandle) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the pointer.
        unsafe { Out::new(properties, "properties") }?.write(pointer::give(PropertiesHandle::default()));
        Ok(())
    })
}

/// Takes a list back. What was submitted with it has a copy.
///
/// # Safety
/// `properties` is NULL, or came from `syncline_properties_new` and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_properties_free(properties: *mut PropertiesHandle) {
    border::cross_or((), || {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::take_back(properties) };
    });
}

/// Empties a list and keeps its memory.
///
/// # Safety
/// `properties` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_properties_clear(properties: *mut PropertiesHandle) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::exclusive(properties, "properties") }?.0.clear();
        Ok(())
    })
}

/// Appends a property; its identifier says which fields of `property` count. Whether a packet may carry it is checked
/// when the packet is made.
///
/// # Safety
/// `properties` is a live handle, `property` points to a property whose slices can be read; `error` is
/// NULL or points to a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_properties_add(
    properties: *mut PropertiesHandle,
    property: *const PropertyRecord,
    error: *mut ErrorText,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for both pointers.
        let (list, record) = unsafe {
            (
                pointer::exclusive(properties, "properties")?,
                pointer::shared(property, "property")?,
            )
        };
        // SAFETY: the caller vouches for the slices.
        list.0.push(unsafe { read(record) }?)?;
        Ok(())
    })
}

fn unknown(id: u8) -> Fault {
    Fault::new(
        Code::Unknown,
        format_args!("id is 0x{id:02x}, which is no property: section 2.2.2.2 of MQTT 5.0 lists them"),
    )
}

/// # Safety
/// The slices of `record` can be read during `'a`.
unsafe fn read<'a>(record: &PropertyRecord) -> Result<Property<'a>, Fault> {
    use PropertyId as Id;
    let id = Id::ALL.into_iter().find(|id| *id as u8 == record.id);
    let number = record.number;
    let out_of_range = |expected| Fault::out_of_range("number", number, expected);
    let short = || u16::try_from(number).map_err(|_| out_of_range("0 to 65535"));
    let flag = || match number {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(out_of_range("0 or 1")),
    };
    // SAFETY: the caller vouches for the slices.
    let text = || unsafe { record.value.text("value") };
    // SAFETY: as above.
    let binary = || unsafe { record.value.bytes("value") };
    // SAFETY: as above.
    let name = || unsafe { record.name.text("name") };
    Ok(match id.ok_or_else(|| unknown(record.id))? {
        Id::PayloadFormatIndicator => Property::PayloadFormatIndicator(flag()?),
        Id::MessageExpiryInterval => Property::MessageExpiryInterval(number),
        Id::ContentType => Property::ContentType(text()?),
        Id::ResponseTopic => Property::ResponseTopic(text()?),
        Id::CorrelationData => Property::CorrelationData(binary()?),
        Id::SubscriptionIdentifier => Property::SubscriptionIdentifier(number),
        Id::SessionExpiryInterval => Property::SessionExpiryInterval(number),
        Id::AssignedClientIdentifier => Property::AssignedClientIdentifier(text()?),
        Id::ServerKeepAlive => Property::ServerKeepAlive(short()?),
        Id::AuthenticationMethod => Property::AuthenticationMethod(text()?),
        Id::AuthenticationData => Property::AuthenticationData(binary()?),
        Id::RequestProblemInformation => Property::RequestProblemInformation(flag()?),
        Id::WillDelayInterval => Property::WillDelayInterval(number),
        Id::RequestResponseInformation => Property::RequestResponseInformation(flag()?),
        Id::ResponseInformation => Property::ResponseInformation(text()?),
        Id::ServerReference => Property::ServerReference(text()?),
        Id::ReasonString => Property::ReasonString(text()?),
        Id::ReceiveMaximum => Property::ReceiveMaximum(short()?),
        Id::TopicAliasMaximum => Property::TopicAliasMaximum(short()?),
        Id::TopicAlias => Property::TopicAlias(short()?),
        Id::MaximumQos => Property::MaximumQos(quality(
            u8::try_from(number).map_err(|_| out_of_range("0, 1 or 2"))?,
        )?),
        Id::RetainAvailable => Property::RetainAvailable(flag()?),
        Id::UserProperty => Property::UserProperty(name()?, text()?),
        Id::MaximumPacketSize => Property::MaximumPacketSize(number),
        Id::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(flag()?),
        Id::SubscriptionIdentifierAvailable => Property::SubscriptionIdentifierAvailable(flag()?),
        Id::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(flag()?),
    })
}

impl PropertyRecord {
    /// The property at `index` of a list.
    pub(crate) fn at(properties: Properties<'_>, index: usize) -> Option<Self> {
        properties.iter().nth(index).map(|property| Self::of(&property))
    }

    fn of(property: &Property<'_>) -> Self {
        use Property as P;
        let mut record = Self {
            name: Slice::EMPTY,
            value: Slice::EMPTY,
            number: 0,
            id: property.id() as u8,
        };
        match *property {
            P::PayloadFormatIndicator(flag)
            | P::RequestProblemInformation(flag)
            | P::RequestResponseInformation(flag)
            | P::RetainAvailable(flag)
            | P::WildcardSubscriptionAvailable(flag)
            | P::SubscriptionIdentifierAvailable(flag)
            | P::SharedSubscriptionAvailable(flag) => record.number = flag.into(),
            P::MessageExpiryInterval(number)
            | P::SubscriptionIdentifier(number)
            | P::SessionExpiryInterval(number)
            | P::WillDelayInterval(number)
            | P::MaximumPacketSize(number) => record.number = number,
            P::ServerKeepAlive(number)
            | P::ReceiveMaximum(number)
            | P::TopicAliasMaximum(number)
            | P::TopicAlias(number) => record.number = number.into(),
            P::MaximumQos(qos) => record.number = u32::from(qos as u8),
            P::ContentType(text)
            | P::ResponseTopic(text)
            | P::AssignedClientIdentifier(text)
            | P::AuthenticationMethod(text)
            | P::ResponseInformation(text)
            | P::ServerReference(text)
            | P::ReasonString(text) => record.value = text.into(),
            P::CorrelationData(data) | P::AuthenticationData(data) => record.value = data.into(),
            P::UserProperty(name, value) => {
                record.name = name.into();
                record.value = value.into();
            }
        }
        record
    }
}

/// The list behind an optional handle.
///
/// # Safety
/// Unless NULL, `properties` is a live handle that nobody changes meanwhile.
pub(crate) unsafe fn optional(properties: *const PropertiesHandle) -> PropertyBuf {
    // SAFETY: the caller vouches for the handle.
    unsafe { pointer::optional(properties) }.map_or_else(PropertyBuf::new, |list| list.0.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_crosses_the_border_both_ways() {
        for id in PropertyId::ALL {
            let is_text = |record: &PropertyRecord| {
                // SAFETY: the slices are of static texts.
                unsafe { read(record) }.is_ok_and(|property| PropertyRecord::of(&property).value.len == 3)
            };
            let record = PropertyRecord {
                name: "key".into(),
                value: "a/b".into(),
                number: 1,
                id: id as u8,
            };
            // SAFETY: the slices are of static texts.
            let property = unsafe { read(&record) }.unwrap();
            assert_eq!(property.id(), id);
            let back = PropertyRecord::of(&property);
            assert_eq!(back.id, id as u8);
            assert!(
                is_text(&record) != (back.number == 1),
                "{id} is a number or a text"
            );
            // SAFETY: the slices are of the same static texts.
            assert_eq!(unsafe { read(&back) }.unwrap(), property);
        }
    }

    #[test]
    fn a_value_too_large_for_its_property_is_out_of_range() {
        for id in [
            PropertyId::ReceiveMaximum,
            PropertyId::MaximumQos,
            PropertyId::PayloadFormatIndicator,
        ] {
            let record = PropertyRecord {
                name: Slice::EMPTY,
                value: Slice::EMPTY,
                number: 70_000,
                id: id as u8,
            };
            // SAFETY: the slices are empty.
            let refused = unsafe { read(&record) }.err();
            assert_eq!(refused.map(|fault| fault.code), Some(Code::OutOfRange));
        }
    }
}
