//! How much is taken from a warehouse at once. A time limit alone does not keep a broken or hostile server from filling
//! this machine's memory: it may send for as long as it likes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::engine::error::Excess;

/// The longest message, as it is announced. A row of Redshift has at most some 16 MB (AWS: SUPER data type, limitations).
const MESSAGE: u64 = 32 << 20;

/// The most that may come in answer to one statement. The columns of 5,000 tables with 40 each are some 40 MB.
const ANSWER: u64 = 256 << 20;

/// The most of it that may be remarks: notices, and what settings are.
const REMARKS: u64 = 16 << 20;

/// What a message takes beside its bytes, once it is read.
const BESIDE: u64 = 64;

/// A line that a session has begun on, read from the first message after the login's verdict on. What is too much is an
/// error that holds an [`Excess`]. What is sent begins a new answer.
pub(super) struct Bounded<S> {
    line: S,
    gauge: Gauge,
}

impl<S> Bounded<S> {
    pub(super) fn new(line: S) -> Self {
        Self { line, gauge: Gauge::default() }
    }
}

/// Follows the messages: a tag and a length each, then so many bytes.
#[derive(Default)]
struct Gauge {
    head: [u8; 5],
    have: usize,
    /// How much of the present message is still to come.
    rest: u64,
    answer: u64,
    remarks: u64,
}

impl Gauge {
    fn begin(&mut self) {
        (self.answer, self.remarks) = (0, 0);
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Excess> {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = bytes.len().min(usize::try_from(self.rest).unwrap_or(usize::MAX));
                self.rest -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = bytes.len().min(self.head.len() - self.have);
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == self.head.len() {
                self.have = 0;
                self.message()?;
            }
        }
        Ok(())
    }

    /// A message was announced.
    fn message(&mut self) -> Result<(), Excess> {
        let [tag, length @ ..] = self.head;
        let length = u64::from(u32::from_be_bytes(length));
        if length > MESSAGE {
            return Err(Excess::Message { announced: length, limit: MESSAGE });
        }
        // What is no length the client refuses.
        self.rest = length.saturating_sub(4);
        self.answer += length + BESIDE;
        if matches!(tag, b'N' | b'S' | b'A') {
            self.remarks += length + BESIDE;
            if self.remarks > REMARKS {
                return Err(Excess::Remarks { limit: REMARKS });
            }
        }
        if self.answer > ANSWER { Err(Excess::Answer { limit: ANSWER }) } else { Ok(()) }
    }
}

/// The [`Excess`] in an error of the line.
pub(super) fn excess(error: &(dyn std::error::Error + 'static)) -> Option<Excess> {
    error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref().copied()
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.line).poll_read(cx, buf))?;
        Poll::Ready(this.gauge.take(&buf.filled()[before..]).map_err(io::Error::other))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.gauge.begin();
        Pin::new(&mut self.line).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(tag: u8, body: usize) -> Vec<u8> {
        let length = u32::try_from(body + 4).expect("short").to_be_bytes();
        [&[tag], &length[..], &vec![b'x'; body]].concat()
    }

    #[test]
    fn a_long_message_is_refused_by_its_announcement() {
        let announced = |length: u64| {
            let bytes = u32::try_from(length).expect("fits").to_be_bytes();
            Gauge::default().take(&[b"D", &bytes[..]].concat())
        };
        assert_eq!(announced(MESSAGE), Ok(()));
        let long = Excess::Message { announced: 1 << 31, limit: MESSAGE };
        assert_eq!(announced(1 << 31), Err(long));
        assert!(announced(MESSAGE + 1).is_err());
    }

    #[test]
    fn rows_and_remarks_are_counted_until_the_next_statement() {
        let (row, remark) = (message(b'D', 1 << 20), message(b'N', 1 << 10));
        let mut gauge = Gauge::default();
        let mut rows = 0;
        let found = loop {
            match gauge.take(&row) {
                Ok(()) => rows += 1,
                Err(excess) => break excess,
            }
        };
        assert_eq!((found, rows), (Excess::Answer { limit: ANSWER }, 255));
        let mut gauge = Gauge::default();
        for _ in 0..100 {
            (0..1000).for_each(|_| gauge.take(&remark).expect("few enough"));
            gauge.begin();
        }
        let mut remarks = 0;
        while gauge.take(&remark).is_ok() {
            remarks += 1;
        }
        assert!((15_000..16_000).contains(&remarks), "{remarks}");
    }

    proptest! {
        /// However the bytes arrive, the count is the same.
        #[test]
        fn messages_are_found_in_any_pieces(sizes in prop::collection::vec((any::<bool>(), 0usize..40), 1..20), piece in 1usize..50) {
            let bytes: Vec<u8> =
                sizes.iter().flat_map(|(remark, size)| message(if *remark { b'N' } else { b'D' }, *size)).collect();
            let mut gauge = Gauge::default();
            for part in bytes.chunks(piece) {
                gauge.take(part).expect("little");
            }
            let of = |remark: bool| sizes.iter().filter(|(is, _)| *is || !remark).map(|(_, size)| *size as u64 + 4 + BESIDE).sum::<u64>();
            prop_assert_eq!((gauge.answer, gauge.remarks, gauge.rest, gauge.have), (of(false), of(true), 0, 0));
        }
    }
}
