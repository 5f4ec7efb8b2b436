//! Calls of what has no machine behind it: configurations, packets, properties, topics, shared bytes, limits.

use syncline_ffi::*;

use super::{Place, Walk, bytes_of, call, check_error, known, no_error};

impl Walk<'_> {
    pub(super) fn value_call(&mut self, choice: u8) -> Option<()> {
        match choice % 24 {
            0 | 1 => self.session_config()?,
            2..8 => self.configure()?,
            8 => self.node_config()?,
            9 | 10 => self.configure_node()?,
            11..13 => self.decode()?,
            13 => self.encode()?,
            14..16 => self.property_list()?,
            16 => self.topics()?,
            17..19 => self.shared_bytes()?,
            _ => self.queries()?,
        }
        Some(())
    }

    fn session_config(&mut self) -> Option<()> {
        let slot = self.slot()?;
        let id = self.input.slice()?;
        let mut place = Place::new();
        let code = call!(syncline_session_config_new(id.data, id.len, place.pointer()));
        if let Some(made) = place.after(code) {
            call!(syncline_session_config_free(self.configs.0[slot]));
            self.configs.0[slot] = made;
        }
        Some(())
    }

    fn configure(&mut self) -> Option<()> {
        let config = self.configs.0[self.slot()?];
        match self.input.byte()? % 8 {
            0..4 => {
                let (setting, value) = (u32::from(self.input.byte()? % 32), self.input.number()?);
                let mut error = no_error();
                let code = call!(syncline_session_config_set(config, setting, value, &mut error));
                check_error(&error, code);
            }
            4 => {
                let (name, word) = (self.input.slice()?, self.input.slice()?);
                known(call!(syncline_session_config_set_credentials(
                    config, name.data, name.len, word.data, word.len
                )));
            }
            5 => {
                let (method, data) = (self.input.slice()?, self.input.slice()?);
                known(call!(syncline_session_config_set_authentication(
                    config,
                    method.data,
                    method.len,
                    data.data,
                    data.len
                )));
            }
            6 => {
                let will = self.publication()?;
                let will = if self.input.flag()? {
                    &raw const will
                } else {
                    std::ptr::null()
                };
                let mut error = no_error();
                let code = call!(syncline_session_config_set_will(config, will, &mut error));
                check_error(&error, code);
            }
            _ => {
                let properties = self.properties.0[self.slot()?];
                known(call!(syncline_session_config_set_properties(config, properties)));
            }
        }
        Some(())
    }

    fn node_config(&mut self) -> Option<()> {
        let slot = self.slot()?;
        let base = self.input.slice()?;
        let mut place = Place::new();
        let mut error = no_error();
        let code = call!(syncline_node_config_new(
            base.data,
            base.len,
            &mut error,
            place.pointer()
        ));
        check_error(&error, code);
        if let Some(made) = place.after(code) {
            call!(syncline_node_config_free(self.nodes.0[slot]));
            self.nodes.0[slot] = made;
        }
        Some(())
    }

    fn configure_node(&mut self) -> Option<()> {
        let config = self.nodes.0[self.slot()?];
        let number = self.input.narrow(u32::MAX)?;
        known(match self.input.byte()? % 4 {
            0 => call!(syncline_node_config_set_qos(config, number as u8)),
            1 => call!(syncline_node_config_set_timeout(config, number)),
            2 => {
                let text = self.input.slice()?;
                call!(syncline_node_config_set_timeout_error(
                    config, number, text.data, text.len
                ))
            }
            _ => call!(syncline_node_config_set_max_in_flight(config, number as usize)),
        });
        Some(())
    }

    fn decode(&mut self) -> Option<()> {
        let (data, version) = (self.input.slice()?, self.input.byte()? % 3 + 3);
        let limit = self.input.narrow(u32::MAX)?;
        let mut place = Place::<Frame>::new();
        let code = call!(syncline_packet_peek(
            data.data,
            data.len,
            version,
            limit,
            place.pointer()
        ));
        place.after(code);
        let mut place = Place::<PublishPacket>::new();
        let code = call!(syncline_publish_decode(
            data.data,
            data.len,
            version,
            place.pointer()
        ));
        if let Some(publish) = place.after(code) {
            bytes_of(publish.topic);
            bytes_of(publish.payload);
        }
        Some(())
    }

    fn encode(&mut self) -> Option<()> {
        let publish = PublishPacket {
            topic: self.input.slice()?,
            payload: self.input.slice()?,
            packet_id: self.input.narrow(u16::MAX)?,
            qos: self.input.byte()? % 4,
            dup: self.input.flag()?,
            retain: self.input.flag()?,
        };
        let version = self.input.byte()? % 3 + 3;
        let mut buffer = [0_u8; 64];
        let capacity = usize::from(self.input.byte()?).min(buffer.len());
        let mut written = usize::MAX;
        let code = known(call!(syncline_publish_encode(
            &publish,
            version,
            buffer.as_mut_ptr(),
            capacity,
            &mut written
        )));
        match code {
            Code::Ok => assert!(written <= capacity),
            Code::BufferTooSmall => assert!(written > capacity && written != usize::MAX),
            _ => assert_eq!(written, usize::MAX),
        }
        Some(())
    }

    fn property_list(&mut self) -> Option<()> {
        let slot = self.slot()?;
        let list = self.properties.0[slot];
        match self.input.byte()? % 8 {
            0 => {
                let mut place = Place::new();
                let code = call!(syncline_properties_new(place.pointer()));
                if let Some(made) = place.after(code) {
                    call!(syncline_properties_free(list));
                    self.properties.0[slot] = made;
                }
            }
            1 => {
                known(call!(syncline_properties_clear(list)));
            }
            _ => {
                let property = PropertyRecord {
                    name: self.input.slice()?,
                    value: self.input.slice()?,
                    number: self.input.narrow(u32::MAX)?,
                    id: self.input.byte()? % 0x30,
                };
                let mut error = no_error();
                let code = call!(syncline_properties_add(list, &property, &mut error));
                check_error(&error, code);
            }
        }
        Some(())
    }

    fn topics(&mut self) -> Option<()> {
        let (filter, topic) = (self.input.slice()?, self.input.slice()?);
        let (mut error, mut place) = (no_error(), Place::<bool>::new());
        let is_name = known(call!(syncline_topic_name_check(
            topic.data, topic.len, &mut error
        )));
        check_error(&error, is_name);
        let mut error = no_error();
        let is_filter = known(call!(syncline_topic_filter_check(
            filter.data,
            filter.len,
            &mut error
        )));
        check_error(&error, is_filter);
        let code = call!(syncline_topic_matches(
            filter.data,
            filter.len,
            topic.data,
            topic.len,
            place.pointer()
        ));
        assert_eq!(
            place.after(code).is_some(),
            is_name == Code::Ok && is_filter == Code::Ok,
            "a name and a filter match or do not"
        );
        Some(())
    }

    fn shared_bytes(&mut self) -> Option<()> {
        let (slot, data) = (self.slot()?, self.input.slice()?);
        let mut place = Place::new();
        let code = call!(syncline_bytes_new(data.data, data.len, place.pointer()));
        if let Some(made) = place.after(code) {
            call!(syncline_bytes_release(self.shared.0[slot]));
            self.shared.0[slot] = made;
        }
        let mut place = Place::new();
        let code = call!(syncline_bytes_view(self.shared.0[slot], place.pointer()));
        place.after(code).map(bytes_of);
        let from = self.shared.0[self.slot()?];
        self.retain(from);
        Some(())
    }

    fn queries(&mut self) -> Option<()> {
        let number = self.input.narrow(u32::MAX)?;
        let mut place = Place::<u64>::new();
        let code = call!(syncline_limit_value(number, place.pointer()));
        place.after(code);
        syncline_has_feature(number);
        assert!(!syncline_version().is_null() && !syncline_result_str(number).is_null());
        Some(())
    }
}
