//! As much of the messages of RFC 1035 as a resolver for a few names needs. What comes in is hostile.
use std::net::IpAddr;

pub(crate) const A: u16 = 1;
pub(crate) const PTR: u16 = 12;
pub(crate) const AAAA: u16 = 28;
const OPT: u16 = 41;
const IN: u16 = 1;

pub(crate) const SERVER_FAILURE: u8 = 2;
const NOT_IMPLEMENTED: u8 = 4;
const FORMAT_ERROR: u8 = 1;

const HEADER: usize = 12;
/// What every client takes over UDP, and the most that is sent to any.
const UDP: std::ops::RangeInclusive<usize> = 512..=4_096;
const LONGEST_NAME: usize = 255;
const TRUNCATED: u8 = 2;
/// Seconds that an answer may be remembered. Short: containers come and go.
const LIFETIME: u32 = 5;

/// The one question of a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// In lower case and without the last dot; none for names that cannot be a container's.
    pub name: Option<String>,
    pub kind: u16,
    /// Bytes of header and question.
    pub end: usize,
    /// The largest answer over UDP.
    pub limit: usize,
}

pub(crate) enum Data {
    Address(IpAddr),
    Name(String),
}

fn number(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]))
}

/// `Err`: what to answer instead; nothing to what is no query at all.
pub(crate) fn parse(packet: &[u8]) -> Result<Question, Option<Vec<u8>>> {
    let Some(flags) = packet.get(2).filter(|flags| packet.len() >= HEADER && *flags & 0x80 == 0) else { return Err(None) };
    if flags & 0x78 != 0 {
        return Err(Some(refusal(packet, HEADER, NOT_IMPLEMENTED)));
    }
    let question = if number(packet, 4) == Some(1) { read_question(packet) } else { None };
    question.ok_or_else(|| Some(refusal(packet, HEADER, FORMAT_ERROR)))
}

fn read_question(packet: &[u8]) -> Option<Question> {
    let (mut at, mut name, mut plain) = (HEADER, String::new(), true);
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        // No compression: a question has nothing before it that it could point to.
        let label = packet.get(at..at + length).filter(|_| length < 64)?;
        at += length;
        if at - HEADER > LONGEST_NAME {
            return None;
        }
        plain &= label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.');
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
    }
    let (kind, class) = (number(packet, at)?, number(packet, at + 2)?);
    let end = at + 4;
    // The size that the client takes stands in an OPT record (RFC 6891), right after the question.
    let has_opt =
        number(packet, 6) == Some(0) && number(packet, 8) == Some(0) && packet.get(end) == Some(&0) && number(packet, end + 1) == Some(OPT);
    let size = if has_opt { number(packet, end + 3).map_or(0, usize::from) } else { 0 };
    Some(Question { name: Some(name).filter(|_| plain && class == IN), kind, end, limit: size.clamp(*UDP.start(), *UDP.end()) })
}

/// The head of an answer: the query's id, question and wish for recursion.
fn begin(query: &[u8], end: usize, code: u8, answers: u16) -> Vec<u8> {
    let mut answer = query.get(..end).unwrap_or(query).to_vec();
    answer[2] = 0x80 | answer[2] & 0x01;
    answer[3] = 0x80 | code;
    answer[4..6].copy_from_slice(&u16::from(end > HEADER).to_be_bytes());
    answer[6..8].copy_from_slice(&answers.to_be_bytes());
    answer[8..HEADER].fill(0);
    answer
}

pub(crate) fn refusal(query: &[u8], end: usize, code: u8) -> Vec<u8> {
    begin(query, end, code, 0)
}

/// An answer of at most `limit` bytes; one that would be longer says that it is cut off.
pub(crate) fn answer(query: &[u8], question: &Question, records: &[Data], limit: usize) -> Vec<u8> {
    let mut answer = begin(query, question.end, 0, records.len() as u16);
    for record in records {
        let (kind, data) = match record {
            Data::Address(IpAddr::V4(address)) => (A, address.octets().to_vec()),
            Data::Address(IpAddr::V6(address)) => (AAAA, address.octets().to_vec()),
            Data::Name(name) => (PTR, encode(name)),
        };
        answer.extend([0xc0, HEADER as u8]); // the name of the question
        answer.extend(kind.to_be_bytes());
        answer.extend(IN.to_be_bytes());
        answer.extend(LIFETIME.to_be_bytes());
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    if answer.len() > limit {
        return truncated(query, question.end);
    }
    answer
}

/// Tells the client to ask over TCP.
pub(crate) fn truncated(query: &[u8], end: usize) -> Vec<u8> {
    let mut answer = begin(query, end, 0, 0);
    answer[2] |= TRUNCATED;
    answer
}

/// A name that fits; labels that do not are cut.
fn encode(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        if bytes.len() + label.len() + 2 > LONGEST_NAME {
            break;
        }
        bytes.push(label.len() as u8);
        bytes.extend(label);
    }
    bytes.push(0);
    bytes
}

/// The address of a reverse name: `2.0.0.10.in-addr.arpa`, or 32 nibbles and `ip6.arpa`.
pub(crate) fn reverse(name: &str) -> Option<IpAddr> {
    if let Some(text) = name.strip_suffix(".in-addr.arpa") {
        let parts: Vec<u8> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [d, c, b, a] = parts.try_into().ok()?;
        return Some(IpAddr::from([a, b, c, d]));
    }
    let digits: Vec<&str> = name.strip_suffix(".ip6.arpa")?.split('.').collect();
    let nibbles: Vec<u8> = digits.iter().rev().filter(|d| d.len() == 1).filter_map(|d| u8::from_str_radix(d, 16).ok()).collect();
    let bytes: Vec<u8> = nibbles.chunks(2).filter_map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect();
    let octets: [u8; 16] = bytes.try_into().ok().filter(|_| digits.len() == 32)?;
    Some(IpAddr::from(octets))
}

/// True when `reply` is to this very query: its id, that it is an answer, and its question.
pub(crate) fn answers(reply: &[u8], query: &[u8], end: usize) -> bool {
    reply.len() >= end && reply[..2] == query[..2] && reply[2] & 0x80 != 0 && reply[HEADER..end].eq_ignore_ascii_case(&query[HEADER..end])
}

/// A server that cannot, or will not; another may.
pub(crate) fn failed(reply: &[u8]) -> bool {
    matches!(reply.get(3).map(|flags| flags & 0x0f), None | Some(SERVER_FAILURE | 5))
}

#[cfg(test)]
pub(crate) fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut packet = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend(encode(name));
    packet.extend(kind.to_be_bytes());
    packet.extend(IN.to_be_bytes());
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers() {
        let mut packet = query("Web.Mine", A);
        let question = parse(&packet).unwrap();
        assert_eq!(question, Question { name: Some("web.mine".into()), kind: A, end: packet.len(), limit: 512 });
        let answer = answer(&packet, &question, &[Data::Address(IpAddr::from([10, 0, 0, 2]))], 512);
        assert_eq!(&answer[..12], [0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert!(answer.ends_with(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 0, 0, 2]));
        assert!(answers(&answer, &packet, question.end) && !answers(&packet, &packet, question.end));
        packet.extend([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
        packet[11] = 1;
        assert_eq!(parse(&packet).unwrap().limit, 4_096);
    }

    #[test]
    fn long_answers_are_cut_off() {
        let packet = query("web", A);
        let question = parse(&packet).unwrap();
        let records: Vec<Data> = (0..100).map(|n| Data::Address(IpAddr::from([10, 0, 0, n]))).collect();
        let cut = answer(&packet, &question, &records, 512);
        assert!(cut.len() == packet.len() && cut[2] & TRUNCATED != 0 && cut[6..8] == [0, 0]);
        assert_eq!(answer(&packet, &question, &records, 65_535)[6..8], [0, 100]);
    }

    #[test]
    fn reverse_names() {
        assert_eq!(reverse("2.0.1.10.in-addr.arpa"), Some(IpAddr::from([10, 1, 0, 2])));
        let six = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.5.d.f.ip6.arpa";
        assert_eq!(reverse(six), Some("fd51::2".parse().unwrap()));
        for bad in ["", "in-addr.arpa", "1.2.3.in-addr.arpa", "1.2.3.256.in-addr.arpa", "ip6.arpa", "x.ip6.arpa", "1.2.3.4.5.in-addr.arpa"]
        {
            assert_eq!(reverse(bad), None, "{bad}");
        }
    }

    /// Every cut, and every byte changed, of good queries: no panic, and never an answer longer than the query.
    #[test]
    fn hostile_packets() {
        let mut long = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        (0..10).for_each(|_| long.extend([[63; 1].as_slice(), &[b'a'; 63]].concat()));
        for packet in [query("web.mine", A), query("1.0.0.10.in-addr.arpa", PTR), long, vec![0xc0; 600], vec![0; 600], vec![0xff; 12]] {
            let try_one = |packet: &[u8]| match parse(packet) {
                Ok(question) => assert!(refusal(packet, question.end, 2).len() <= packet.len()),
                Err(Some(reply)) => assert!(reply.len() <= packet.len()),
                Err(None) => {}
            };
            (0..=packet.len()).for_each(|end| try_one(&packet[..end]));
            for at in 0..packet.len() {
                for value in [0, 1, 63, 64, 127, 128, 192, 255] {
                    let mut changed = packet.clone();
                    changed[at] = value;
                    try_one(&changed);
                }
            }
        }
    }
}
