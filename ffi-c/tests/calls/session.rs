//! Calls of sessions and of the composite agent, and all that a session hands out.

use std::ptr;

use syncline_ffi::*;

use super::{Place, Walk, bytes_of, call, check_error, known, no_error};

/// More than one input can give rise to: whoever polls so often polls for ever.
const MOST_OUTPUTS: usize = 100_000;

impl Walk<'_> {
    pub(super) fn session_call(&mut self, choice: u8) -> Option<()> {
        let slot = self.slot()?;
        let session = self.sessions.0[slot];
        let now = self.now;
        let choice = choice % 50;
        if choice >= 24 {
            self.session_has_not_moved(slot);
        }
        match choice {
            0 => self.new_session(slot)?,
            1 => self.free_session(slot),
            2..6 => self.poll(slot),
            6..8 => self.server_sends(slot)?,
            8 => {
                known(call!(syncline_session_connect(session, now)));
            }
            9 => {
                known(call!(syncline_session_handle_transport_open(session, now)));
            }
            10 => {
                known(call!(syncline_session_handle_transport_closed(session, now)));
            }
            11 => self.pass(slot)?,
            12 => self.write(slot)?,
            13 => self.look(slot)?,
            14 => {
                let mut place = Place::new();
                let capacity = usize::from(self.input.byte()? % 4);
                let mut ops = [0_u64; 4];
                let code = call!(syncline_session_unfinished(
                    session,
                    ops.as_mut_ptr(),
                    capacity,
                    place.pointer()
                ));
                assert!(place.after(code).is_none_or(|count| count <= capacity));
            }
            15 => {
                let mut place = Place::new();
                let code = call!(syncline_session_awaits_persisted(session, place.pointer()));
                place.after(code);
            }
            // From here on the session changes.
            24..28 => self.publish(slot)?,
            28 | 29 => self.filters(slot)?,
            30 => self.disconnect(slot)?,
            31 => {
                let token = if self.input.flag()? {
                    self.ack_token
                } else {
                    self.input.number()?
                };
                known(call!(syncline_session_acknowledge(session, token)));
            }
            32 => self.authenticate(slot)?,
            33 => {
                let (username, password) = (self.input.slice()?, self.input.slice()?);
                known(call!(syncline_session_set_credentials(
                    session,
                    username.data,
                    username.len,
                    password.data,
                    password.len
                )));
            }
            34 => {
                known(call!(syncline_session_handle_persisted(
                    session,
                    self.input.number()?
                )));
            }
            35 => {
                let len = self.input.narrow(usize::MAX)?;
                known(call!(syncline_session_rx_commit(session, len)));
            }
            36 => self.add_node(slot)?,
            37 => {
                known(call!(syncline_agent_remove_node(session, self.input.number()?)));
            }
            38 | 39 => self.ask(slot)?,
            40 => {
                known(call!(syncline_agent_abort(session, self.transaction.as_ptr())));
            }
            41 => {
                known(call!(syncline_agent_cancel_all(session)));
            }
            42 => {
                let options = self.registration_options()?;
                let mut error = no_error();
                let code = known(call!(syncline_agent_register_with(session, &options, &mut error)));
                check_error(&error, code);
            }
            43 => {
                known(call!(syncline_agent_handle_credentials_stored(session, now)));
            }
            44 => {
                let answer = self.registry_answer()?;
                let id = if self.input.flag()? {
                    self.request
                } else {
                    self.input.number()?
                };
                known(call!(syncline_agent_handle_registry_answer(
                    session, now, now, id, &answer
                )));
            }
            45 => {
                let data = self.input.slice()?;
                known(call!(syncline_session_set_authentication_data(
                    session, data.data, data.len
                )));
            }
            46 => {
                let (own, likeness) = (self.input.slice()?, u32::from(self.input.byte()? % 3));
                known(call!(syncline_agent_check_version(
                    session, own.data, own.len, likeness
                )));
            }
            47 => {
                let (answer, id) = (self.registry_answer()?, self.request);
                known(call!(syncline_agent_handle_version_answer(
                    session, now, id, &answer
                )));
            }
            _ => {}
        }
        Some(())
    }

    fn new_session(&mut self, slot: usize) -> Option<()> {
        let config = self.configs.0[self.slot()?];
        let seed = self.input.seed()?;
        let restored = self.input.flag()?;
        let mut error = no_error();
        let (mut place, mut counts) = (Place::new(), Place::new());
        let code = if restored {
            let records = [(); 2].map(|()| {
                Some(StoredRecord {
                    key: self.input.number()?,
                    record: self.input.slice()?,
                })
            });
            let records = [records[0]?, records[1]?];
            let len = usize::from(self.input.byte()? % 3);
            call!(syncline_session_restore(
                config,
                seed.data,
                seed.len,
                self.now,
                self.now,
                records.as_ptr(),
                len,
                &mut error,
                counts.pointer(),
                place.pointer()
            ))
        } else {
            call!(syncline_session_new(
                config,
                seed.data,
                seed.len,
                &mut error,
                place.pointer()
            ))
        };
        check_error(&error, code);
        if restored {
            counts.after(code);
        }
        if let Some(session) = place.after(code) {
            self.free_session(slot);
            self.sessions.0[slot] = session;
        }
        Some(())
    }

    pub(super) fn free_session(&mut self, slot: usize) {
        self.session_has_not_moved(slot);
        call!(syncline_session_free(self.sessions.0[slot]));
        self.sessions.0[slot] = ptr::null_mut();
        self.pending[slot].clear();
    }

    /// What the session has pointed out is as it was. The next call may change it.
    pub(super) fn session_has_not_moved(&mut self, slot: usize) {
        for (slice, before) in self.shown[slot].drain(..) {
            assert_eq!(bytes_of(slice), before, "shown bytes have changed");
        }
    }

    fn show(&mut self, slot: usize, slices: impl IntoIterator<Item = Slice>) {
        let shown = slices.into_iter().map(|slice| (slice, bytes_of(slice)));
        self.shown[slot].extend(shown);
    }

    fn poll(&mut self, slot: usize) {
        for _ in 0..MOST_OUTPUTS {
            self.session_has_not_moved(slot);
            let mut place = Place::new();
            let code = call!(syncline_session_poll(
                self.sessions.0[slot],
                self.now,
                place.pointer()
            ));
            let Some(output) = place.after(code) else {
                return;
            };
            self.take(slot, &output);
            for index in 0..4 {
                let mut place = Place::new();
                let session = self.sessions.0[slot];
                let code = call!(syncline_session_property(session, index, place.pointer()));
                if let Some(PropertyRecord { name, value, .. }) = place.after(code) {
                    self.show(slot, [name, value]);
                }
            }
        }
        panic!("polling does not come to an end");
    }

    fn take(&mut self, slot: usize, output: &OutputRecord) {
        use OutputKind as Kind;
        self.seen.insert(output.kind as u32);
        // SAFETY: the kind says which member was written, here and below.
        unsafe {
            match output.kind {
                Kind::OpenTransport | Kind::CloseTransport | Kind::GaveUp | Kind::ReplyIgnored => {}
                Kind::Connected => {
                    let it = output.event.connected;
                    self.show(slot, [it.assigned_client_id, it.response_information]);
                }
                Kind::Disconnected => {
                    let it = output.event.disconnected;
                    self.show(slot, [it.text, it.reason_string, it.server_reference]);
                }
                Kind::Message => {
                    let it = output.event.message;
                    self.ack_token = it.ack_token;
                    self.show(
                        slot,
                        [it.topic, it.payload, it.response_topic, it.correlation_data],
                    );
                    self.retain(it.shared);
                }
                Kind::Completed => {
                    let it = output.event.completed;
                    known(it.refusal);
                    self.show(slot, [it.reason_codes, it.reason_string]);
                    self.completed(slot, it.op);
                }
                Kind::Store => self.show(slot, [output.event.store.record]),
                Kind::AuthChallenge => {
                    let it = output.event.auth_challenge;
                    self.show(slot, [it.data, it.reason_string]);
                }
                Kind::NodeChanged => {
                    known(output.event.node.refusal);
                }
                Kind::TransactionEnded => {
                    let it = output.event.transaction;
                    self.show(slot, [it.value, it.message]);
                }
                Kind::StoreCredentials => {
                    let it = output.event.credentials;
                    self.show(slot, [it.username, it.password]);
                }
                Kind::VersionDiffers => {
                    let it = output.event.mismatch;
                    self.show(slot, [it.text, it.own, it.central]);
                }
                Kind::VersionAgrees => self.show(slot, [output.event.central]),
                Kind::AskRegistry | Kind::AskVersion => {
                    let it = output.event.request;
                    self.request = it.id;
                    self.show(slot, [it.method, it.path, it.body]);
                }
                Kind::RegistrationDelayed => self.show(slot, [output.event.delay.text]),
                Kind::Granted => self.show(slot, [output.event.grant.certificate]),
                Kind::Denied => self.show(slot, [output.event.denial.text]),
            }
        }
    }

    /// Keeps a payload in place of the one kept before.
    pub(super) fn retain(&mut self, shared: *const SharedBytes) {
        let mut place = Place::new();
        let code = call!(syncline_bytes_retain(shared, place.pointer()));
        if let Some(retained) = place.after(code) {
            call!(syncline_bytes_release(self.shared.0[0]));
            self.shared.0[0] = retained;
        }
    }

    pub(super) fn accepted(&mut self, slot: usize, place: Place<u64>, code: Code) {
        if let Some(op) = place.after(code) {
            assert!(self.pending[slot].insert(op), "an operation's number comes twice");
        }
    }

    /// Operations that were restored are not among the pending ones, and have lower numbers.
    fn completed(&mut self, slot: usize, op: u64) {
        let first = self.pending[slot].first().copied();
        let removed = self.pending[slot].remove(&op);
        assert!(
            removed || first.is_none_or(|first| op < first) || op == 0,
            "an operation completes twice"
        );
    }

    fn pass(&mut self, slot: usize) -> Option<()> {
        let mut place = Place::new();
        let code = call!(syncline_session_poll_timeout(
            self.sessions.0[slot],
            place.pointer()
        ));
        let deadline = place.after(code).filter(|deadline| *deadline != u64::MAX);
        self.now = match (self.input.flag()?, deadline) {
            (true, Some(deadline)) => self.now.max(deadline),
            _ => self.now.saturating_add(self.input.number()?).min(u64::MAX / 4),
        };
        self.session_has_not_moved(slot);
        known(call!(syncline_session_handle_timeout(
            self.sessions.0[slot],
            self.now
        )));
        Some(())
    }

    fn write(&mut self, slot: usize) -> Option<()> {
        let session = self.sessions.0[slot];
        let mut runs = [(); 3].map(|()| IoVec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        });
        let mut place = Place::new();
        let code = call!(syncline_session_tx_iov(
            session,
            runs.as_mut_ptr(),
            runs.len(),
            place.pointer()
        ));
        let Some(count) = place.after(code) else {
            return Some(());
        };
        let slices = runs[..count].iter().map(|run| Slice {
            data: run.iov_base.cast(),
            len: run.iov_len,
        });
        let shown: usize = slices.clone().map(|slice| bytes_of(slice).len()).sum();
        self.show(slot, slices);
        self.session_has_not_moved(slot);
        let part = usize::from(self.input.byte()?);
        let code = call!(syncline_session_tx_advance(session, self.now, shown.min(part)));
        assert_eq!(code, Code::Ok);
        Some(())
    }

    /// Every call that changes nothing, twice, and that nothing has changed.
    fn look(&mut self, slot: usize) -> Option<()> {
        let session = self.sessions.0[slot];
        let node = self.input.number()?;
        let seen = [(); 2].map(|()| {
            let (mut status, mut deadline) = (Place::new(), Place::new());
            let (mut node_status, mut counters, mut registration) =
                (Place::new(), Place::new(), Place::new());
            let codes = [
                call!(syncline_session_status(session, status.pointer())),
                call!(syncline_session_poll_timeout(session, deadline.pointer())),
                call!(syncline_agent_node_status(session, node, node_status.pointer())),
                call!(syncline_agent_counters(session, counters.pointer())),
                call!(syncline_agent_registration_status(
                    session,
                    registration.pointer()
                )),
            ];
            let status: Option<SessionStatus> = status.after(codes[0]);
            let node_status: Option<NodeStatus> = node_status.after(codes[2]);
            let counters: Option<CountersRecord> = counters.after(codes[3]);
            let registration: Option<RegistrationStatus> = registration.after(codes[4]);
            (
                status.map(|it| {
                    (
                        bytes_of(it.client_id),
                        it.in_flight,
                        it.queued,
                        it.unwritten,
                        it.version,
                    )
                }),
                deadline.after(codes[1]),
                node_status.map(|it| (it.node, it.in_flight, it.readiness)),
                counters.map(|it| (it.begun, it.open)),
                registration.map(|it| (it.state, it.pairing_id)),
            )
        });
        assert_eq!(seen[0], seen[1], "looking has changed something");
        Some(())
    }
}
