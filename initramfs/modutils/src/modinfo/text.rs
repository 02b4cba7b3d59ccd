//! `modinfo`'s output as kmod prints it.

use modfile::{
    modinfo::{Entry, Modinfo, Parameter},
    signature::Signature,
};

/// How to print.
#[derive(Clone, Debug)]
pub(super) struct Style {
    /// Only this field.
    pub(super) field: Option<Vec<u8>>,
    /// What ends a field.
    pub(super) end: u8,
}

impl Style {
    /// A line before the module's own, which keeps its form also where a NUL ends it.
    pub(super) fn heading(&self, key: &str, value: &[u8], out: &mut Vec<u8>) {
        match self.field.as_deref() {
            None => label(key.as_bytes(), out),
            Some(field) if field == key.as_bytes() => {}
            Some(_) => return,
        }
        self.value(value, out);
    }

    /// What a module says about itself, and who signed it.
    pub(super) fn contents(&self, info: &Modinfo<'_>, signature: Option<&Signature<'_>>, out: &mut Vec<u8>) {
        if self.field.as_deref() == Some(b"parm") {
            return self.parameters(info, out);
        }
        for Entry { key, value, .. } in info.entries().filter(|entry| self.field.is_some() || !is_parameter(entry.key))
        {
            self.field(key, value, out);
        }
        for (key, value) in signature.into_iter().flat_map(signature_fields) {
            self.field(key.as_bytes(), &value, out);
        }
        if self.field.is_none() {
            self.parameters(info, out);
        }
    }

    fn field(&self, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
        match self.field.as_deref() {
            Some(field) if field != key => return,
            Some(_) => {}
            None if self.end == 0 => {
                out.extend_from_slice(key);
                out.push(b'=');
            }
            None => label(key, out),
        }
        self.value(value, out);
    }

    fn value(&self, value: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(value);
        out.push(self.end);
    }

    /// The parameters, those mentioned last first.
    fn parameters(&self, info: &Modinfo<'_>, out: &mut Vec<u8>) {
        for parameter in info.parameters().iter().rev() {
            if self.field.is_none() {
                label(b"parm", out);
            }
            out.extend_from_slice(parameter.name);
            out.push(b':');
            self.value(&self.parameter_text(parameter), out);
        }
    }

    fn parameter_text(&self, parameter: &Parameter<'_>) -> Vec<u8> {
        match (parameter.description, parameter.kind) {
            (Some(description), Some(kind)) => [description, b" (", kind, b")"].concat(),
            (Some(description), None) => description.into(),
            // kmod's two ways of printing a parameter differ here.
            (None, kind) if self.field.is_some() => [b" (", kind.unwrap_or_default(), b")"].concat(),
            (None, kind) => kind.unwrap_or_default().into(),
        }
    }
}

/// What is wrong with the parameters of a module.
pub(super) fn complaints(info: &Modinfo<'_>) -> Vec<Vec<u8>> {
    let odd = info.entries().filter(|entry| is_parameter(entry.key) && !entry.value.contains(&b':'));
    odd.map(|entry| [b"Found invalid \"", entry.key, b"=", entry.value, b"\": missing ':'"].concat()).collect()
}

/// Whether an entry describes a parameter, or a part of it.
pub(super) fn is_parameter(key: &[u8]) -> bool {
    matches!(key, b"parm" | b"parmtype")
}

/// A signature as the fields that stand for it.
pub(super) fn signature_fields(signature: &Signature<'_>) -> [(&'static str, Vec<u8>); 5] {
    [
        ("sig_id", signature.id_type.into()),
        ("signer", signature.signer.into()),
        ("sig_key", hex(signature.key_id, b":\n\t\t")),
        ("sig_hashalgo", signature.hash.to_string().into()),
        ("signature", hex(signature.signature, b":\n\t\t")),
    ]
}

/// Pairs of digits with colons between, or with `line_break` after each twenty.
pub(super) fn hex(bytes: &[u8], line_break: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = Vec::with_capacity(3 * bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        match at {
            0 => {}
            at if at % 20 == 0 => text.extend_from_slice(line_break),
            _ => text.push(b':'),
        }
        text.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}

/// The key and its colon, padded to 16 columns; a longer key is directly followed by the value.
fn label(key: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(key);
    out.push(b':');
    let width = key.len() + 1;
    out.resize(out.len() + 16usize.saturating_sub(width), b' ');
}

#[cfg(test)]
mod tests {
    use modfile::signature::Hash;

    use super::*;

    const INFO: &[u8] = b"license=GPL\0parmtype=n:int\0author=A\xe9\0exactly16chars__=v\0exactly15chars_=v\0\
        parm=n:how many\0parmtype=bare:bool\0parm=told:words\0alias=x\0alias=y\0parm=broken\0alone\0parm\0";

    #[track_caller]
    fn check(field: Option<&str>, end: u8, expected: &[u8]) {
        let style = Style { field: field.map(|field| field.into()), end };
        let mut out = Vec::new();
        style.contents(&Modinfo::new(INFO), None, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(expected));
    }

    #[test]
    fn everything_in_order_and_parameters_last_and_backwards() {
        check(
            None,
            b'\n',
            b"license:        GPL
author:         A\xe9
exactly16chars__:v
exactly15chars_:v
alias:          x
alias:          y
alone:          \n\
parm:           told:words
parm:           bare:bool
parm:           n:how many (int)
",
        );
    }

    #[test]
    fn a_signature_is_the_last_of_the_fields() {
        let signature = Signature {
            id_type: "PKCS#7",
            signer: b"Me",
            key_id: &[1],
            hash: Hash::Named("sha256"),
            signature: &[0xab; 21],
        };
        let style = Style { field: None, end: b'\n' };
        let (info, mut out) = (Modinfo::new(b"parm=a:b\0x=y\0"), Vec::new());
        style.contents(&info, Some(&signature), &mut out);
        let expected = format!(
            "x:              y\nsig_id:         PKCS#7\nsigner:         Me\nsig_key:        01\n\
             sig_hashalgo:   sha256\nsignature:      {}\n\t\tAB\nparm:           a:b\n",
            "AB:".repeat(20)
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_field_is_its_raw_values() {
        check(Some("alias"), b'\n', b"x\ny\n");
        check(Some("parmtype"), b'\n', b"n:int\nbare:bool\n");
        check(Some("parm"), b'\n', b"told:words\nbare: (bool)\nn:how many (int)\n");
        check(Some("nothing"), b'\n', b"");
        check(Some("alias"), 0, b"x\0y\0");
    }

    #[test]
    fn nul_ends_key_and_value_pairs_but_parameters_stay_padded() {
        check(
            None,
            0,
            b"license=GPL\0author=A\xe9\0exactly16chars__=v\0exactly15chars_=v\0alias=x\0alias=y\0alone=\0\
              parm:           told:words\0parm:           bare:bool\0parm:           n:how many (int)\0",
        );
    }

    #[test]
    fn a_parameter_without_a_name_is_told() {
        let expected = ["Found invalid \"parm=broken\": missing ':'", "Found invalid \"parm=\": missing ':'"];
        assert_eq!(complaints(&Modinfo::new(INFO)), expected.map(Vec::from));
    }
}
