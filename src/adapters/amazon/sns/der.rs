//! As much of X.509 as a signature needs: the RSA key of a certificate and its subject's common
//! name. Reads, and judges nothing.

/// What is wanted of a certificate, borrowed from its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate<'c> {
    /// The common name of its subject.
    pub(super) common_name: Option<&'c [u8]>,
    /// Its RSA public key (PKCS #1).
    pub(super) key: &'c [u8],
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const VERSION: u8 = 0xa0;

/// `rsaEncryption` and `commonName` as object ids.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

impl<'c> Certificate<'c> {
    /// Reads a certificate; none where it is none, or its key is not RSA.
    pub(super) fn read(der: &'c [u8]) -> Option<Self> {
        let mut whole = Der(der);
        let mut certificate = Der(whole.expect(SEQUENCE)?);
        let mut body = Der(certificate.expect(SEQUENCE)?);
        if body.0.first() == Some(&VERSION) {
            body.next()?;
        }
        // Serial number, signature algorithm, issuer, validity.
        for _ in 0..4 {
            body.next()?;
        }
        let subject = body.expect(SEQUENCE)?;
        let mut info = Der(body.expect(SEQUENCE)?);
        let mut algorithm = Der(info.expect(SEQUENCE)?);
        if algorithm.expect(OBJECT_ID)? != RSA {
            return None;
        }
        let (unused, key) = info.expect(BIT_STRING)?.split_first()?;
        (*unused == 0).then_some(Self { common_name: common_name(subject), key })
    }
}

fn common_name(subject: &[u8]) -> Option<&[u8]> {
    let mut parts = Der(subject);
    while let Some(part) = parts.expect(SET) {
        let mut attribute = Der(Der(part).expect(SEQUENCE)?);
        if attribute.expect(OBJECT_ID)? == COMMON_NAME {
            return attribute.next().map(|(_, value)| value);
        }
    }
    None
}

/// What is left to be read.
struct Der<'c>(&'c [u8]);

impl<'c> Der<'c> {
    /// The next element: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'c [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            short @ 0..=0x7f => (usize::from(short), rest),
            // At most two bytes of length: a certificate is far below 64 KiB.
            0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
            0x82 => {
                let bytes = [*rest.first()?, *rest.get(1)?];
                (usize::from(u16::from_be_bytes(bytes)), rest.get(2..)?)
            }
            _ => return None,
        };
        let content = rest.get(..length)?;
        self.0 = &rest[length..];
        Some((*tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'c [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }
}
