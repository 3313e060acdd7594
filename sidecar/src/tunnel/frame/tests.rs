use tokio::io::duplex;

use super::*;

/// What a reader makes of bytes, data joined; then how it ended.
async fn read(bytes: &[u8], side: Side, at_once: usize) -> (Vec<u8>, Vec<String>, String) {
    let (mut near, far) = duplex(at_once);
    let bytes = bytes.to_vec();
    let write = async move {
        // The reader may have seen enough.
        let _ = near.write_all(&bytes).await;
    };
    let read = async {
        let (mut data, mut others) = (Vec::new(), Vec::new());
        let mut reader = FrameReader::new(far, side);
        loop {
            match reader.next().await {
                Ok(Event::Data(piece)) => data.extend_from_slice(piece),
                Ok(other) => others.push(format!("{other:?}")),
                Err(error) => return (data, others, error.to_string()),
            }
        }
    };
    tokio::join!(write, read).1
}

/// Sends data.
async fn send<W: AsyncWrite + Unpin>(writer: &mut FrameWriter<W>, data: &[u8]) {
    writer.room().await.expect("room")[..data.len()].copy_from_slice(data);
    writer.data(data.len()).await.expect("writes");
}

async fn written(side: Side, data: &[&[u8]]) -> Vec<u8> {
    let mut sink = Vec::new();
    let mut writer = FrameWriter::new(&mut sink, side);
    for data in data {
        send(&mut writer, data).await;
        writer.ping().await.expect("writes");
    }
    writer.eof().await.expect("writes");
    writer.pong(b"here").await.expect("writes");
    writer.close(BROKEN, "for a reason").await.expect("writes");
    sink
}

#[tokio::test]
async fn what_one_end_writes_the_other_reads_however_it_is_cut() {
    let data: Vec<u8> = (0..PIECE as u32).flat_map(u32::to_le_bytes).take(PIECE).collect();
    let pieces = [&data[..], b"", b"x", &data[..126], &data[..125], &data[7..40_000]];
    let ping = "Ping([])".to_owned();
    let mut others = vec![ping; pieces.len()];
    others.extend(["Eof".to_owned(), "Pong".to_owned(), "Close(1011, \"for a reason\")".to_owned()]);
    for (from, to) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
        let bytes = written(from, &pieces).await;
        for at_once in [1, 3, 1000, 1 << 20] {
            let (read, events, end) = read(&bytes, to, at_once).await;
            assert!(read == pieces.concat(), "{from:?} by {at_once}");
            assert_eq!((events, end.as_str()), (others.clone(), "the connection ended"));
        }
    }
}

#[tokio::test]
async fn a_message_in_several_frames_is_data_all_the_same() {
    let frames = [&[0x02, 2][..], b"ab", &[0x89, 0], &[0x00, 0], &[0x80, 1], b"c"].concat();
    let (data, others, end) = read(&frames, Side::Client, 1).await;
    assert_eq!((&data[..], others, end.as_str()), (&b"abc"[..], vec!["Ping([])".into()], "the connection ended"));
}

#[tokio::test]
async fn a_frame_that_was_broken_off_is_ended_before_the_next() {
    for (from, to) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
        for taken in [0, 1, 5, 100] {
            let (near, mut far) = duplex(64);
            let mut writer = FrameWriter::new(near, from);
            let begun = async {
                writer.room().await.expect("room")[..1_000].fill(7);
                writer.data(1_000).await
            };
            let mut bytes = vec![0; taken];
            tokio::select! {
                biased;
                _ = begun => panic!("nobody took it"),
                read = far.read_exact(&mut bytes) => drop(read.expect("reads")),
            }
            let close = async {
                writer.close(POLICY, "not any more").await.expect("closes");
                writer.shutdown().await.expect("ends");
            };
            let ((), rest) = tokio::join!(close, far.read_to_end(&mut bytes));
            rest.expect("reads");
            let (data, others, _) = read(&bytes, to, 1 << 10).await;
            assert!(data == [7; 1_000], "{from:?} {taken}: {}", data.len());
            assert_eq!(others, ["Close(1008, \"not any more\")"], "{from:?} {taken}");
        }
    }
}

#[tokio::test]
async fn what_is_no_tunnels_is_refused() {
    for (what, frames) in [
        ("text", &[0x81, 1, b'x'][..]),
        ("an extension", &[0xc2, 0]),
        ("a masked frame of a server", &[0x82, 0x80, 1, 2, 3, 4]),
        ("the rest of nothing", &[0x80, 0]),
        ("a message in a message", &[0x02, 0, 0x82, 0]),
        ("text in a message", &[0x02, 0, 0x81, 3, b'e', b'o', b'f']),
        ("a long ping", &[0x89, 126, 0, 126]),
        ("a ping in pieces", &[0x09, 0]),
        ("a long text", &[0x81, 126, 1, 0]),
        ("a frame of no kind", &[0x83, 0]),
        ("a control frame of no kind", &[0x8b, 0]),
    ] {
        let (data, others, end) = read(frames, Side::Client, 1 << 10).await;
        assert!(data.is_empty() && others.is_empty() && end.contains("does not speak"), "{what}: {others:?} {end}");
    }
    let (_, _, end) = read(&[0x82, 1, b'x'], Side::Server, 16).await;
    assert!(end.contains("mask"), "{end}");
}

#[tokio::test]
async fn a_huge_frame_takes_no_memory() {
    let head = [&[0x82, 127][..], &(1_u64 << 62).to_be_bytes(), b"abc"].concat();
    let (data, _, end) = read(&head, Side::Client, 64).await;
    assert_eq!((&data[..], end.as_str()), (&b"abc"[..], "the connection ended"));
}
