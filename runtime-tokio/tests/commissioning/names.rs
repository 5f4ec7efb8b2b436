//! Wrong sections, metadata, parameters, definitions and tags.

use super::{Case, assert_reported};

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("a missing section", "metadata: {name: t}\n", &[
        r"1:1 the top level: expected `resources`, found none",
    ]),
    ("a mistyped section", r"metdata: {name: t}
resources: {}
", &[
        r"1:1 the top level: unknown key `metdata`, expected `version`, `description`, `metadata`, `parameters`, `definitions` or `resources`",
        r"1:1 the top level: expected `metadata`, found none",
    ]),
    ("a section of the wrong type", r"metadata: {name: t}
resources: 5
", &[
        r"2:12 `resources`: expected a mapping",
    ]),
    ("a tag on a section", r"metadata: {name: t}
resources: !ref x
", &[
        r"2:12 `resources`: found a tag, expected a mapping without one",
    ]),
    ("no service name", r"metadata: {version: 1.0.0}
resources: {}
", &[
        r"1:1 metadata: expected `name`, found none",
    ]),
    ("a number as the service name", r"metadata: {name: 5}
resources: {}
", &[
        r"1:18 `metadata.name`: found the number 5, expected a text; put it in quotes",
    ]),
    ("a service name of punctuation", r"metadata: {name: '--'}
resources: {}
", &[
        r"1:18 `metadata.name`: found `--`, expected a letter or a digit in it",
    ]),
    ("a service name that is too long", r"metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}
resources: {}
", &[
        r"1:18 `metadata.name`: found 81 characters, expected at most 80",
    ]),
    ("a service name that refers to itself", r"metadata: {name: !sub 'x${Cybus::ServiceId}'}
resources: {}
", &[
        r"1:25 `metadata.name` refers to itself",
    ]),
    ("an unknown key of the metadata", r"metadata: {name: t, licence: x}
resources: {}
", &[
        r"1:21 metadata: unknown key `licence`, expected `name`, `version`, `icon`, `provider` or `homepage`",
    ]),
    ("a parameter without type", r"metadata: {name: t}
parameters:
  a: {default: 1}
resources: {}
", &[
        r"3:6 parameters.a: expected `type`, found none",
    ]),
    ("a parameter of an unknown type", r"metadata: {name: t}
parameters:
  a: {type: int, default: 1}
resources: {}
", &[
        r"3:13 `type`: found the text `int`, expected `string`, `number`, `integer`, `boolean`, `object` or `array`",
    ]),
    ("a default of another type", r"metadata: {name: t}
parameters:
  a: {type: integer, default: x}
resources: {}
", &[
        r"3:31 `default`: found the text `x`, expected an integer",
    ]),
    ("a default outside enum", r"metadata: {name: t}
parameters:
  a: {type: string, enum: [x, y], default: z}
resources: {}
", &[
        r"3:44 `default`: found the text `z`, expected one of the values of `enum`",
    ]),
    ("a default above the maximum", r"metadata: {name: t}
parameters:
  a: {type: integer, maximum: 5, default: 6}
resources: {}
", &[
        r"3:43 `default`: found the number 6, expected at most 5",
    ]),
    ("a parameter without a value", r"metadata: {name: t}
parameters:
  a:
    type: string
resources: {}
", &[
        r"3:3 parameter `a` has no value and no default",
    ]),
    ("a reference in the parameters", r"metadata: {name: t}
parameters:
  a: {type: string, default: !ref b}
resources: {}
", &[
        r"3:30 `!ref` is not possible in `parameters`",
    ]),
    ("a definition with the name of a parameter", r"metadata: {name: t}
parameters:
  a: {type: integer, default: 1}
definitions:
  a: 1
resources: {}
", &[
        r"5:3 the name `a` is already that of a parameter, expected another name",
    ]),
    ("definitions that go in a circle", r"metadata: {name: t}
definitions:
  a: !ref b
  b: !sub 'x${a}'
resources: {}
", &[
        r"4:13 `a` refers to itself",
    ]),
    ("an unknown name in a text", r"metadata: {name: t}
definitions:
  site: north
  a: !sub 'x/${sites}/y'
resources: {}
", &[
        r"4:14 `sites` is not a parameter, a definition or a resource of this file",
    ]),
    ("an unclosed name in a text", r"metadata: {name: t}
definitions:
  a: !sub 'x/${b'
resources: {}
", &[
        r"3:11 `!sub`: found `${` without `}`, expected `${name}`",
    ]),
    ("an unknown tag", r"metadata: {name: t}
definitions:
  a: !reff b
resources: {}
", &[
        r"3:6 unknown tag `!reff`, expected `!ref`, `!sub` or `!merge`",
    ]),
    ("a merge of a text", r"metadata: {name: t}
definitions:
  a: !merge [{b: c}, d]
resources: {}
", &[
        r"3:22 `!merge`: found the text `d`, expected a mapping",
    ]),
    ("a topic root that is no text", r"metadata: {name: t}
definitions:
  CYBUS_MQTT_ROOT: 5
resources: {}
", &[
        r"3:20 `CYBUS_MQTT_ROOT`: found the number 5, expected a text; put it in quotes",
    ]),
];

#[test]
fn wrong_sections_names_and_tags_are_reported_at_their_place() {
    assert_reported(CASES);
}
