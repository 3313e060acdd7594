use std::future::pending;
use std::sync::Arc;

use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::task::JoinHandle;

use super::*;

const OURS: bool = true;
const STOCK: bool = false;

fn near(stream: DuplexStream) -> (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>) {
    split(stream)
}

/// A job, a tunnel of two bridges, and a client.
struct Tunnel {
    client: DuplexStream,
    job: DuplexStream,
    ends: [JoinHandle<Ending>; 2],
    counts: Arc<Counts>,
}

fn tunnel(is_ours: bool) -> Tunnel {
    let (client, local) = duplex(4_096);
    let (job, behind) = duplex(4_096);
    let (one, other) = duplex(4_096);
    let counts = Arc::new(Counts::default());
    let counted = Arc::clone(&counts);
    let client_end = tokio::spawn(async move {
        let kind = Kind { side: Side::Client, is_ours, pings: PING_INTERVAL };
        run(one, kind, near(local), &Counts::default(), pending()).await
    });
    let server_end = tokio::spawn(async move {
        let kind = Kind { side: Side::Server, is_ours, pings: PING_INTERVAL };
        run(other, kind, near(behind), &counted, pending()).await
    });
    Tunnel { client, job, ends: [client_end, server_end], counts }
}

async fn send<W: AsyncWrite + Unpin>(writer: &mut FrameWriter<W>, data: &[u8]) {
    writer.room().await.expect("room")[..data.len()].copy_from_slice(data);
    writer.data(data.len()).await.expect("writes");
}

async fn endings(ends: [JoinHandle<Ending>; 2]) -> [Ending; 2] {
    let [one, other] = ends;
    [one.await.expect("ends"), other.await.expect("ends")]
}

#[tokio::test]
async fn each_way_ends_by_itself() {
    for is_ours in [OURS, STOCK] {
        let Tunnel { mut client, mut job, ends, counts } = tunnel(is_ours);
        let question: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let ask = async {
            client.write_all(&question).await.expect("writes");
            client.shutdown().await.expect("ends");
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("reads");
            answer
        };
        // The job answers only after the end of the question.
        let answer = async {
            let mut asked = Vec::new();
            job.read_to_end(&mut asked).await.expect("reads");
            job.write_all(&asked).await.expect("writes");
            job.shutdown().await.expect("ends");
        };
        let (answered, ()) = tokio::join!(ask, answer);
        assert!(answered == question, "ours: {is_ours}");
        assert_eq!(endings(ends).await, [Ending::Complete, Ending::Complete], "ours: {is_ours}");
        let length = question.len() as u64;
        assert_eq!([&counts.received, &counts.sent].map(|count| count.load(Ordering::Relaxed)), [length; 2]);
    }
}

#[tokio::test]
async fn a_job_that_is_done_first_still_hears_what_the_client_says() {
    let Tunnel { mut client, mut job, ends, .. } = tunnel(OURS);
    job.write_all(b"hello").await.expect("writes");
    job.shutdown().await.expect("ends");
    let mut said = Vec::new();
    client.read_to_end(&mut said).await.expect("reads");
    assert_eq!(said, b"hello");
    client.write_all(b"still here").await.expect("writes");
    client.shutdown().await.expect("ends");
    let mut heard = Vec::new();
    job.read_to_end(&mut heard).await.expect("reads");
    assert_eq!(heard, b"still here");
    assert_eq!(endings(ends).await, [Ending::Complete, Ending::Complete]);
}

#[tokio::test]
async fn who_does_not_read_holds_back_the_writer_and_nobody_else() {
    let Tunnel { mut client, mut job, .. } = tunnel(OURS);
    let block = vec![7; 64 << 10];
    let mut sent = 0;
    // The client reads nothing, so at some point the job can't write any more.
    while timeout(Duration::from_millis(200), job.write_all(&block)).await.is_ok() {
        sent += block.len();
        assert!(sent < 4 << 20, "what nobody reads is kept: {sent}");
    }
    client.write_all(b"other way").await.expect("writes");
    let mut heard = [0; 9];
    job.read_exact(&mut heard).await.expect("the other way goes on");
    assert_eq!(&heard, b"other way");
}

#[tokio::test]
async fn an_end_that_vanishes_is_no_end_of_data() {
    let (job, behind) = duplex(64);
    let (one, mut other) = duplex(64);
    let kind = Kind { side: Side::Server, is_ours: true, pings: PING_INTERVAL };
    let bridge = tokio::spawn(async move { run(one, kind, near(behind), &Counts::default(), pending()).await });
    let mut writer = FrameWriter::new(&mut other, Side::Client);
    send(&mut writer, b"half of it").await;
    drop(other);
    let ending = bridge.await.expect("ends");
    assert!(matches!(ending, Ending::Gone(_)), "{ending:?}");
    drop(job);
}

#[tokio::test(start_paused = true)]
async fn both_ends_say_that_they_are_there_and_a_silent_one_is_gone() {
    let Tunnel { mut client, mut job, ends, .. } = tunnel(OURS);
    tokio::time::sleep(SILENCE * 20).await;
    client.write_all(b"x").await.expect("writes");
    assert_eq!(job.read_u8().await.expect("still there"), b'x');
    assert!(ends.iter().all(|end| !end.is_finished()));

    let (_job, behind) = duplex(64);
    let (one, _silent) = duplex(4_096);
    let kind = Kind { side: Side::Server, is_ours: true, pings: PING_INTERVAL };
    let ending = run(one, kind, near(behind), &Counts::default(), pending()).await;
    assert!(matches!(ending, Ending::Gone(_)), "{ending:?}");
}

#[tokio::test]
async fn what_is_stopped_is_told_why() {
    let (job, behind) = duplex(64);
    let (one, other) = duplex(4_096);
    let kind = Kind { side: Side::Server, is_ours: true, pings: PING_INTERVAL };
    let stop = async { (frame::POLICY, "no longer allowed") };
    let counts = Counts::default();
    let (ending, event) = tokio::join!(run(one, kind, near(behind), &counts, stop), async {
        let mut reader = FrameReader::new(other, Side::Client);
        format!("{:?}", reader.next().await)
    });
    assert_eq!((ending, event.as_str()), (Ending::Stopped, "Ok(Close(1008, \"no longer allowed\"))"));
    drop(job);
}

#[tokio::test]
async fn what_is_stopped_in_the_middle_of_a_frame_says_so_after_it() {
    for side in [Side::Server, Side::Client] {
        let (mut job, behind) = duplex(64 << 10);
        let (one, mut other) = duplex(1 << 10);
        let kind = Kind { side, is_ours: true, pings: PING_INTERVAL };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let stopped = async { stopped.await.unwrap_or((frame::BROKEN, "nobody stopped it")) };
        let data = vec![7; 64 << 10];
        job.write_all(&data).await.expect("writes");
        let counts = Counts::default();
        let peer = async {
            // The header of a frame and some of it.
            let mut bytes = vec![0; 100];
            other.read_exact(&mut bytes).await.expect("reads");
            stop.send((frame::POLICY, "no longer allowed")).expect("is waited for");
            other.read_to_end(&mut bytes).await.expect("reads");
            bytes
        };
        let (ending, bytes) = tokio::join!(run(one, kind, near(behind), &counts, stopped), peer);
        assert_eq!(ending, Ending::Stopped);
        let reading_side = if side == Side::Server { Side::Client } else { Side::Server };
        let mut reader = FrameReader::new(&bytes[..], reading_side);
        let mut heard = Vec::new();
        let last = loop {
            match reader.next().await {
                Ok(Event::Data(piece)) => heard.extend_from_slice(piece),
                other => break format!("{other:?}"),
            }
        };
        assert!(data.starts_with(&heard) && !heard.is_empty(), "{side:?}: {} bytes, some of nobody's", heard.len());
        assert_eq!(last, "Ok(Close(1008, \"no longer allowed\"))", "{side:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_takes_nothing_keeps_no_place_for_ever_and_a_stopped_program_waits() {
    for side in [Side::Server, Side::Client] {
        let (_job, behind) = duplex(1 << 10);
        let (one, other) = duplex(4_096);
        let kind = Kind { side, is_ours: true, pings: PING_INTERVAL };
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let bridge = tokio::spawn(async move { run(one, kind, near(behind), &counted, pending()).await });
        let (source, sink) = near(other);
        let (mut reader, mut writer) = match side {
            Side::Server => (FrameReader::new(source, Side::Client), FrameWriter::new(sink, Side::Client)),
            Side::Client => (FrameReader::new(source, Side::Server), FrameWriter::new(sink, Side::Server)),
        };
        let started = tokio::time::Instant::now();
        let data = vec![7; 16 << 10];
        let sending = tokio::spawn(async move {
            writer.room().await.expect("room")[..data.len()].copy_from_slice(&data);
            let _ = writer.data(data.len()).await;
            pending::<()>().await;
        });
        let closed = async {
            loop {
                match reader.next().await {
                    Ok(Event::Close(code, _)) => return code,
                    Ok(_) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let closed = timeout(STALL * 3, closed).await;
        assert_eq!(closed.ok(), (side == Side::Server).then_some(frame::BROKEN), "{side:?}");
        assert_eq!(counts.received.load(Ordering::Relaxed), 1 << 10, "{side:?}: what the job took is counted");
        if side == Side::Server {
            let ending = bridge.await.expect("ends");
            assert!(matches!(ending, Ending::Local(_)), "{ending:?}");
            assert!(started.elapsed() < STALL + CLOSING * 3, "{:?}", started.elapsed());
        } else {
            assert!(!bridge.is_finished(), "a program that is stopped is waited for");
        }
        sending.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn who_never_reads_keeps_no_place_for_ever() {
    for is_ours in [OURS, STOCK] {
        let (mut job, behind) = duplex(4_096);
        let (one, other) = duplex(4_096);
        let kind = Kind { side: Side::Server, is_ours, pings: PING_INTERVAL };
        let bridge = tokio::spawn(async move { run(one, kind, near(behind), &Counts::default(), pending()).await });
        let endless = tokio::spawn(async move { while job.write_all(&[7; 4_096]).await.is_ok() {} });
        // The other end says that it is there, and takes nothing.
        let (_unread, sink) = near(other);
        let mut writer = FrameWriter::new(sink, Side::Client);
        let started = tokio::time::Instant::now();
        let pings = async {
            while writer.ping().await.is_ok() {
                tokio::time::sleep(PING_INTERVAL).await;
            }
            pending::<()>().await;
        };
        let ending = tokio::select! {
            ending = bridge => ending.expect("ends"),
            () = pings => unreachable!(),
        };
        assert!(matches!(ending, Ending::Gone(_)), "ours: {is_ours}: {ending:?}");
        let took = started.elapsed();
        assert!(took >= STALL && took < STALL + CLOSING * 3, "ours: {is_ours}: {took:?}");
        endless.await.expect("the job's connection ended with it");
    }
}
