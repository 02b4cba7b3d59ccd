//! `modinfo`'s output for programs.

use modfile::{
    elf::Elf,
    modinfo::{Modinfo, Parameter},
    param,
    signature::Signature,
};

use super::{
    file::Contents,
    text::{hex, is_parameter},
};
use crate::json::Value;

/// Keys that a module may have more than once. They are lists also where they occur once, so that a reader finds the
/// same kind of value in every module.
const LISTS: &[&[u8]] =
    &[b"alias", b"author", b"description", b"firmware", b"import_ns", b"license", b"softdep", b"weakdep"];

/// One module as an object.
pub(super) fn object(name: &str, file: Option<&[u8]>, contents: &Contents<'_>) -> Value {
    let info = &contents.info;
    let mut members = vec![
        ("name".to_owned(), name.into()),
        ("filename".to_owned(), file.into()),
        ("builtin".to_owned(), file.is_none().into()),
    ];
    for (key, values) in fields(info) {
        // It says what the file name said already.
        if key != b"name" {
            members.push((String::from_utf8_lossy(key).into_owned(), field(key, &values)));
        }
    }
    let permissions = permissions(contents.whole);
    let parameters = info.parameters();
    let parameters = parameters.iter().map(|known| parameter(known, &permissions));
    members.push(("parameters".into(), Value::list(parameters)));
    members.push(("signature".into(), contents.signature.as_ref().map(signed).into()));
    Value::Object(members)
}

/// Each key, in the order of first mention, with its values.
fn fields<'a>(info: &Modinfo<'a>) -> Vec<(&'a [u8], Vec<&'a [u8]>)> {
    let mut fields: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    for entry in info.entries().filter(|entry| !is_parameter(entry.key)) {
        match fields.iter_mut().find(|field| field.0 == entry.key) {
            Some(field) => field.1.push(entry.value),
            None => fields.push((entry.key, vec![entry.value])),
        }
    }
    fields
}

fn field(key: &[u8], values: &[&[u8]]) -> Value {
    match values {
        [names] if key == b"depends" => Value::list(names.split(|byte| *byte == b',').filter(|name| !name.is_empty())),
        [value] if !LISTS.contains(&key) => (*value).into(),
        values => Value::list(values.iter().copied()),
    }
}

/// The names of a file's parameters and the modes that they have in `/sys/module`, as far as they can be told.
fn permissions(file: Option<&[u8]>) -> Vec<(&[u8], u16)> {
    let elf = file.and_then(|file| Elf::parse(file).ok());
    let parameters = elf.and_then(|elf| param::parameters(&elf).ok());
    parameters.into_iter().flatten().flatten().map(|parameter| (parameter.name, parameter.permissions)).collect()
}

fn parameter(parameter: &Parameter<'_>, permissions: &[(&[u8], u16)]) -> Value {
    let mode = permissions.iter().find(|known| known.0 == parameter.name).map(|known| known.1);
    Value::object([
        ("name", parameter.name.into()),
        ("type", parameter.kind.into()),
        ("description", parameter.description.into()),
        ("permissions", mode.map(|mode| format!("{mode:04o}")).into()),
    ])
}

fn signed(signature: &Signature<'_>) -> Value {
    Value::object([
        ("id", signature.id_type.into()),
        ("signer", signature.signer.into()),
        ("key", Value::Text(hex(signature.key_id, b":"))),
        ("hash", signature.hash.to_string().into()),
        ("signature", Value::Text(hex(signature.signature, b":"))),
    ])
}

#[cfg(test)]
mod tests {
    use modfile::signature::Hash;

    use super::*;

    #[test]
    fn keys_that_can_repeat_are_lists_and_the_others_texts() {
        let info = Modinfo::new(
            b"name=a\0alias=x\0depends=b,c\0license=GPL\0odd=1\0odd=2\0parm=n:how many\0parmtype=n:int\0parmtype=m:bool\0",
        );
        let signature = Signature {
            id_type: "PKCS#7",
            signer: b"Me",
            key_id: &[1, 2],
            hash: Hash::Named("sha256"),
            signature: &[0xab],
        };
        let mut out = Vec::new();
        object("a", Some(b"/a.ko"), &Contents { info, signature: Some(signature), whole: None }).write(&mut out);
        let expected = r#"{
  "name": "a",
  "filename": "/a.ko",
  "builtin": false,
  "alias": [
    "x"
  ],
  "depends": [
    "b",
    "c"
  ],
  "license": [
    "GPL"
  ],
  "odd": [
    "1",
    "2"
  ],
  "parameters": [
    {
      "name": "n",
      "type": "int",
      "description": "how many",
      "permissions": null
    },
    {
      "name": "m",
      "type": "bool",
      "description": null,
      "permissions": null
    }
  ],
  "signature": {
    "id": "PKCS#7",
    "signer": "Me",
    "key": "01:02",
    "hash": "sha256",
    "signature": "AB"
  }
}
"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_parameter_has_the_mode_of_its_file() {
        let module = modfile::write::Module::new("a").parameter("seen", 0o644, "param_ops_int");
        let module = module.parameter("hidden", 0, "param_ops_bool").build();
        let info = Modinfo::new(b"parmtype=seen:int\0parmtype=hidden:bool\0parmtype=gone:int\0");
        let value = object("a", Some(b"/a.ko"), &Contents { info, signature: None, whole: Some(&module) });
        let mut out = Vec::new();
        value.write(&mut out);
        let modes: Vec<_> =
            std::str::from_utf8(&out).unwrap().lines().filter(|line| line.contains("permissions")).collect();
        let modes: Vec<_> = modes.iter().map(|line| line.trim()).collect();
        assert_eq!(modes, ["\"permissions\": \"0644\"", "\"permissions\": \"0000\"", "\"permissions\": null"]);
    }

    #[test]
    fn a_part_of_the_kernel_has_no_file() {
        let mut out = Vec::new();
        let info = Modinfo::new(b"depends=\0");
        object("a", None, &Contents { info, signature: None, whole: None }).write(&mut out);
        let expected = "{\n  \"name\": \"a\",\n  \"filename\": null,\n  \"builtin\": true,\n  \"depends\": [],\n  \
                        \"parameters\": [],\n  \"signature\": null\n}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
