//! Commands of a session and of the composite agent.

use std::ptr;

use syncline_ffi::*;

use super::{Place, Walk, call, check_error, known, no_error};

impl Walk<'_> {
    pub(super) fn publication(&mut self) -> Option<PublicationRecord> {
        Some(PublicationRecord {
            topic: self.input.slice()?,
            payload: self.input.slice()?,
            shared: if self.input.flag()? {
                self.shared.0[self.slot()?]
            } else {
                ptr::null()
            },
            properties: if self.input.flag()? {
                self.properties.0[self.slot()?]
            } else {
                ptr::null()
            },
            expiry_ms: self.input.number()?,
            qos: self.input.byte()? % 4,
            retain: self.input.flag()?,
            transient: self.input.flag()?,
        })
    }

    pub(super) fn publish(&mut self, slot: usize) -> Option<()> {
        let publication = self.publication()?;
        let (mut error, mut place) = (no_error(), Place::new());
        let session = self.sessions.0[slot];
        let code = call!(syncline_session_publish(
            session,
            self.now,
            &publication,
            &mut error,
            place.pointer()
        ));
        check_error(&error, code);
        self.accepted(slot, place, code);
        Some(())
    }

    pub(super) fn filters(&mut self, slot: usize) -> Option<()> {
        let mut filters = [None; 2];
        for place in &mut filters {
            *place = Some(FilterRecord {
                filter: self.input.slice()?,
                qos: self.input.byte()? % 4,
                retain_handling: self.input.byte()? % 4,
                no_local: self.input.flag()?,
                retain_as_published: self.input.flag()?,
            });
        }
        let filters = [filters[0]?, filters[1]?];
        let properties = self.properties.0[self.slot()?];
        let count = usize::from(self.input.byte()? % 3);
        let (mut error, mut place) = (no_error(), Place::new());
        let submit = if self.input.flag()? {
            syncline_session_subscribe
        } else {
            syncline_session_unsubscribe
        };
        let session = self.sessions.0[slot];
        let code = call!(submit(
            session,
            filters.as_ptr(),
            count,
            properties,
            &mut error,
            place.pointer()
        ));
        check_error(&error, code);
        self.accepted(slot, place, code);
        Some(())
    }

    pub(super) fn disconnect(&mut self, slot: usize) -> Option<()> {
        let options = DisconnectOptions {
            properties: ptr::null(),
            settle_ms: self.input.number()?,
            session_expiry: self.input.narrow(u32::MAX)?,
            set_session_expiry: self.input.flag()?,
            keep_unfinished: self.input.flag()?,
            reason_code: self.input.byte()?,
        };
        let mut error = no_error();
        let session = self.sessions.0[slot];
        let code = known(call!(syncline_session_disconnect(
            session, self.now, &options, &mut error
        )));
        check_error(&error, code);
        Some(())
    }

    pub(super) fn authenticate(&mut self, slot: usize) -> Option<()> {
        let data = self.input.slice()?;
        let session = self.sessions.0[slot];
        let (mut error, mut place) = (no_error(), Place::new());
        if self.input.flag()? {
            let (data, len) = (data.data, data.len);
            let code = known(call!(syncline_session_authenticate(
                session,
                self.now,
                data,
                len,
                ptr::null(),
                &mut error
            )));
            check_error(&error, code);
            return Some(());
        }
        let (data, len) = (data.data, data.len);
        let code = call!(syncline_session_reauthenticate(
            session,
            data,
            len,
            ptr::null(),
            &mut error,
            place.pointer()
        ));
        check_error(&error, code);
        self.accepted(slot, place, code);
        Some(())
    }

    pub(super) fn add_node(&mut self, slot: usize) -> Option<()> {
        let config = self.nodes.0[self.slot()?];
        let mut place = Place::new();
        let session = self.sessions.0[slot];
        let code = call!(syncline_agent_add_node(
            session,
            self.now,
            config,
            place.pointer()
        ));
        place.after(code);
        Some(())
    }

    pub(super) fn ask(&mut self, slot: usize) -> Option<()> {
        let (node, value) = (self.input.number()?, self.input.slice()?);
        let timeout = self.input.narrow(u32::MAX)?;
        let (mut error, mut place) = (no_error(), Place::<[u8; 16]>::new());
        let code = call!(syncline_agent_request(
            self.sessions.0[slot],
            self.now,
            self.now,
            node,
            value.data,
            value.len,
            1,
            timeout,
            &mut error,
            place.pointer().cast()
        ));
        check_error(&error, code);
        if let Some(transaction) = place.after(code) {
            self.transaction = transaction;
        }
        Some(())
    }
}
