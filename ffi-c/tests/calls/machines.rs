//! Calls of the machines besides the session: requester, responder and registration.

use syncline_ffi::*;

use super::{Place, Walk, bytes_of, call, check_error, known, no_error};

impl Walk<'_> {
    pub(super) fn machine_call(&mut self, choice: u8) -> Option<()> {
        match choice % 3 {
            0 => self.requester_call(choice / 3),
            1 => self.responder_call(choice / 3),
            _ => self.registration_call(choice / 3),
        }
    }

    fn requester_call(&mut self, choice: u8) -> Option<()> {
        let slot = self.slot()?;
        let (requester, now) = (self.requesters.0[slot], self.now);
        match choice % 12 {
            0 => {
                let seed = self.input.seed()?;
                let mut place = Place::new();
                let code = call!(syncline_requester_new(seed.data, seed.len, place.pointer()));
                if let Some(made) = place.after(code) {
                    call!(syncline_requester_free(requester));
                    self.requesters.0[slot] = made;
                }
            }
            1 => {
                let config = self.nodes.0[self.slot()?];
                let mut place = Place::new();
                let code = call!(syncline_requester_add_node(requester, config, place.pointer()));
                place.after(code);
            }
            2 => {
                known(call!(syncline_requester_remove_node(
                    requester,
                    self.input.number()?
                )));
            }
            3 | 4 => {
                let (node, value) = (self.input.number()?, self.input.slice()?);
                let timeout = self.input.narrow(u32::MAX)?;
                let mut place = Place::new();
                let (data, len) = (value.data, value.len);
                let treq = place.pointer();
                let code = call!(syncline_requester_begin(
                    requester, now, now, node, data, len, 1, timeout, treq
                ));
                if let Some(TreqMessage {
                    topic,
                    payload,
                    transaction,
                    ..
                }) = place.after(code)
                {
                    assert!(bytes_of(topic).ends_with(b"/treq") && !bytes_of(payload).is_empty());
                    self.transaction = transaction;
                }
            }
            5 => {
                let (topic, payload) = (self.input.slice()?, self.input.slice()?);
                let retained = self.input.flag()?;
                let mut place = Place::new();
                let code = call!(syncline_requester_handle_message(
                    requester,
                    topic.data,
                    topic.len,
                    payload.data,
                    payload.len,
                    retained,
                    place.pointer()
                ));
                place.after(code);
            }
            6 => {
                known(call!(syncline_requester_handle_timeout(requester, now)));
            }
            7 => {
                let (mut deadline, mut counters) = (Place::<u64>::new(), Place::new());
                let code = call!(syncline_requester_poll_timeout(requester, deadline.pointer()));
                deadline.after(code);
                let code = call!(syncline_requester_counters(requester, counters.pointer()));
                if let Some(it) = counters.after(code) {
                    let ended = it.replied + it.failed + it.timed_out;
                    let others = it.aborted + it.cancelled + it.undeliverable;
                    assert_eq!(it.begun, it.open + ended + others);
                }
            }
            8 => {
                let mut place = Place::new();
                let code = call!(syncline_requester_poll(requester, place.pointer()));
                if let Some(CompletionRecord { value, message, .. }) = place.after(code) {
                    bytes_of(value);
                    bytes_of(message);
                }
            }
            9 => {
                known(call!(syncline_requester_abort(
                    requester,
                    self.transaction.as_ptr()
                )));
            }
            10 => {
                let (id, reason) = (self.transaction.as_ptr(), self.input.byte()?);
                known(call!(syncline_requester_undeliverable(requester, id, reason)));
            }
            _ => {
                known(call!(syncline_requester_cancel_all(requester)));
            }
        }
        Some(())
    }

    fn responder_call(&mut self, choice: u8) -> Option<()> {
        let slot = self.slot()?;
        let (responder, now) = (self.responders.0[slot], self.now);
        match choice % 8 {
            0 => {
                let bounds = ResponderBounds {
                    max_transactions: self.input.narrow(usize::MAX)?,
                    max_answer_bytes: self.input.narrow(usize::MAX)?,
                    retention_ms: self.input.number()?,
                };
                let mut place = Place::new();
                let code = call!(syncline_responder_new(&bounds, place.pointer()));
                if let Some(made) = place.after(code) {
                    call!(syncline_responder_free(responder));
                    self.responders.0[slot] = made;
                }
            }
            1 | 2 => self.request(slot)?,
            3 => {
                let (id, value) = (self.transaction.as_ptr(), self.input.slice()?);
                let mut place = Place::new();
                let (data, len) = (value.data, value.len);
                let code = call!(syncline_responder_respond(
                    responder,
                    now,
                    id,
                    data,
                    len,
                    place.pointer()
                ));
                self.answered(place.after(code));
            }
            4 => {
                let (id, message) = (self.transaction.as_ptr(), self.input.slice()?);
                let error = i64::from(self.input.byte()?);
                let mut place = Place::new();
                let (data, len) = (message.data, message.len);
                let code = call!(syncline_responder_fail(
                    responder,
                    now,
                    id,
                    error,
                    data,
                    len,
                    place.pointer()
                ));
                self.answered(place.after(code));
            }
            5 => {
                let treq = self.input.slice()?;
                let mut place = Place::new();
                let code = call!(syncline_responder_topic(
                    responder,
                    treq.data,
                    treq.len,
                    place.pointer()
                ));
                if let Some(topic) = place.after(code) {
                    assert!(bytes_of(topic).ends_with(b"/tres"));
                }
            }
            6 => {
                known(call!(syncline_responder_handle_timeout(responder, now)));
            }
            _ => {
                let mut place = Place::<u64>::new();
                let code = call!(syncline_responder_poll_timeout(responder, place.pointer()));
                place.after(code);
            }
        }
        Some(())
    }

    /// A request that may name the last transaction.
    fn request(&mut self, slot: usize) -> Option<()> {
        let mut payload = self.input.take(64).to_vec();
        if self.input.flag()? {
            payload = self.envelope();
        }
        let expiry = self.input.number()?;
        let mut place = Place::new();
        let code = call!(syncline_bytes_new(
            payload.as_ptr(),
            payload.len(),
            place.pointer()
        ));
        let shared = place.after(code)?;
        let mut place = Place::new();
        let responder = self.responders.0[slot];
        let code = call!(syncline_responder_handle_request(
            responder,
            self.now,
            shared,
            expiry,
            place.pointer()
        ));
        if let Some(IncomingRecord {
            value,
            tres,
            shared,
            transaction,
            kind,
            ..
        }) = place.after(code)
        {
            bytes_of(value);
            bytes_of(tres);
            if kind == IncomingKind::Repeated {
                self.retain(shared);
            }
            if kind == IncomingKind::Fresh {
                self.transaction = transaction;
            }
        }
        call!(syncline_bytes_release(shared));
        Some(())
    }

    fn answered(&mut self, tres: Option<TresMessage>) {
        if let Some(TresMessage { payload, shared }) = tres {
            assert!(!bytes_of(payload).is_empty());
            self.retain(shared);
        }
    }

    fn registration_call(&mut self, choice: u8) -> Option<()> {
        let slot = self.slot()?;
        let (registration, now) = (self.registrations.0[slot], self.now);
        match choice % 12 {
            0 => self.new_registration(slot)?,
            1 => {
                known(call!(syncline_registration_start(registration, now)));
            }
            2 => {
                known(call!(syncline_registration_stop(registration, now)));
            }
            3 => {
                known(call!(syncline_registration_handle_stored(registration, now)));
            }
            4 => {
                let answer = self.registry_answer()?;
                let id = self.request;
                known(call!(syncline_registration_handle_answer(
                    registration,
                    now,
                    now,
                    id,
                    &answer
                )));
            }
            5 => {
                known(call!(syncline_registration_handle_connected(registration, now)));
            }
            6 => {
                known(call!(syncline_registration_handle_link_lost(registration)));
            }
            7 => {
                let reason = self.input.byte()?;
                assert!(reason != 0 || !syncline_registration_is_about_credentials(reason));
                known(call!(syncline_registration_handle_refused(
                    registration,
                    now,
                    reason
                )));
            }
            8 => {
                let mut place = Place::new();
                let code = call!(syncline_registration_poll_timeout(registration, place.pointer()));
                if let Some(deadline) = place.after(code).filter(|deadline| *deadline != u64::MAX) {
                    self.now = self.now.max(deadline);
                }
                known(call!(syncline_registration_handle_timeout(
                    registration,
                    self.now
                )));
            }
            9 => {
                let mut place = Place::new();
                let code = call!(syncline_registration_status(registration, place.pointer()));
                let status: Option<RegistrationStatus> = place.after(code);
                assert!(status.is_none_or(|status| status.pairing_id[7] == 0));
            }
            _ => self.poll_registration(slot),
        }
        Some(())
    }

    fn new_registration(&mut self, slot: usize) -> Option<()> {
        let (options, seed) = (self.registration_options()?, self.input.seed()?);
        let (mut error, mut place) = (no_error(), Place::new());
        let code = call!(syncline_registration_new(
            &options,
            seed.data,
            seed.len,
            &mut error,
            place.pointer()
        ));
        check_error(&error, code);
        if let Some(made) = place.after(code) {
            call!(syncline_registration_free(self.registrations.0[slot]));
            self.registrations.0[slot] = made;
        }
        Some(())
    }

    fn poll_registration(&mut self, slot: usize) {
        use RegistrationOutputKind as Kind;
        let mut place = Place::<RegistrationOutputRecord>::new();
        let code = call!(syncline_registration_poll(
            self.registrations.0[slot],
            place.pointer()
        ));
        let Some(output) = place.after(code) else { return };
        // SAFETY: the kind says which member was written.
        let slices = unsafe {
            match output.kind {
                Kind::StoreCredentials | Kind::Connect => {
                    let it = output.event.credentials;
                    [it.username, it.password]
                }
                Kind::Ask => {
                    self.request = output.event.request.id;
                    [output.event.request.path, output.event.request.body]
                }
                Kind::Delayed => [output.event.delay.text, Slice::EMPTY],
                Kind::Granted => [output.event.grant.certificate, Slice::EMPTY],
                Kind::Denied => [output.event.denial.text, Slice::EMPTY],
            }
        };
        for slice in slices {
            bytes_of(slice);
        }
    }

    pub(super) fn registration_options(&mut self) -> Option<RegistrationOptions> {
        Some(RegistrationOptions {
            username: self.input.slice()?,
            password: self.input.slice()?,
            csr: self.input.slice()?,
            mode: u32::from(self.input.byte()? % 5),
            login: u32::from(self.input.byte()? % 5),
        })
    }

    pub(super) fn registry_answer(&mut self) -> Option<RegistryAnswerRecord> {
        const STATUS: [u16; 8] = [0, 201, 202, 409, 422, 423, 503, 302];
        Some(RegistryAnswerRecord {
            body: self.input.slice()?,
            retry_after: self.input.slice()?,
            failure: u32::from(self.input.byte()? % 5),
            status: STATUS[usize::from(self.input.byte()?) % STATUS.len()],
        })
    }
}
