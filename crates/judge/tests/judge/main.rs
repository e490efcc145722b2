//! The judge against a scripted server on this machine.

mod server;

use std::{path::Path, sync::Mutex, time::Duration};

use lrrc_dataset::{Dataset, ReadOptions};
use lrrc_episode::{Agent, Encoding, Episode, Outcome, Role, TokenCounter, Turn, Winner};
use lrrc_eval::Method;
use lrrc_judge::{
    Ask, Cache, Caps, ChatOptions, Endpoint, Event, Figure, Game, Judge, JudgeError, JudgeReport, Message,
    Played, Prices, Retry, Secret, Setup,
};
use lrrc_model::{CoordinatorConfig, Meta, Policy, device};
use server::{Heard, Said, Server, text};

const KEY: &str = "sk-test-0123456789abcdef";

fn judge(server: &Server, dir: &Path) -> Judge {
    let key = Secret::new(KEY).expect("a key");
    Judge {
        endpoint: Endpoint::new(&server.base, Some(key), Duration::from_secs(60)).expect("an endpoint"),
        cache: Cache::new(dir.join("cache")),
        retry: Retry {
            attempts: 3,
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_secs(5),
        },
        prices: Some(Prices { input_usd: 1.0, output_usd: 2.0 }),
        caps: Caps::default(),
        concurrency: 3,
    }
}

fn asks(count: usize) -> Vec<Ask> {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let options = ChatOptions { model: "scripted".to_owned(), max_tokens: 50, seed: Some(3) };
    let ask = |at| Ask::new(&[Message::user(format!("question {at}"))], &options, &counter);
    (0..count).map(ask).collect()
}

fn game(episodes: &[Episode], method: Method, keep: f64) -> Game {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let config = CoordinatorConfig { width: 64, rank: 4, ..CoordinatorConfig::default() };
    let model = config.init(3, &device("cpu").expect("every build has the CPU")).expect("sound sizes");
    let policy = Policy::from_parts(&model, Meta::default());
    let chat = ChatOptions { model: "scripted".to_owned(), max_tokens: 200, seed: None };
    let setup = Setup {
        dataset: "test",
        episodes,
        counter: &counter,
        policy: &policy,
        control: None,
        method,
        keep,
        samples: 100,
        seed: 1,
        chat,
    };
    Game::prepare(&setup).expect("something to judge")
}

fn trajectories() -> Vec<Episode> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/traj_airline.jsonl");
    let dataset = Dataset::open(path, &ReadOptions::default()).expect("the file is there");
    dataset.read_all().expect("sound rows").0
}

/// One question to two models, of which one says something good.
fn duel(number: usize, winner: Winner) -> Episode {
    let agent =
        |name: &str, model: Option<&str>| Agent { name: name.to_owned(), model: model.map(str::to_owned) };
    let good = |is_good| if is_good { "a good answer" } else { "a poor answer" };
    let answer = |agent, is_good| {
        let text =
            format!("I am grue-7b. This is {} with the number {number}. It has more words.", good(is_good));
        Turn::text(agent, Role::Assistant, text)
    };
    Episode {
        id: format!("duel-{number}"),
        group: format!("prompt-{}", number / 2),
        source: "made up".to_owned(),
        license: "MIT".to_owned(),
        task: None,
        agents: vec![agent("user", None), agent("model_a", Some("grue-7b")), agent("model_b", Some("bleen"))],
        turns: vec![
            Turn::text(0, Role::User, format!("What is question {number}?")),
            answer(1, winner == Winner::ModelA),
            answer(2, winner == Winner::ModelB),
        ],
        queries: Vec::new(),
        outcome: Outcome { winner: Some(winner), votes: Some(1), ..Outcome::default() },
    }
}

fn duels() -> Vec<Episode> {
    (0..8).map(|at| duel(at, if at % 3 == 0 { Winner::ModelB } else { Winner::ModelA })).collect()
}

fn value(figure: Option<Figure>) -> f64 {
    let Figure { value, low, high } = figure.expect("units with weight");
    assert!(low <= value && value <= high, "{value} in [{low}, {high}]");
    (value * 1e6).round() / 1e6
}

fn play(judge: &Judge, game: &Game) -> JudgeReport {
    let played = judge.play(game.asks(), &|_| ()).expect("a server that answers");
    game.report(&played, 5).expect("intervals")
}

/// The recorded action under the full context; under a digest the first task goes on right, the second is lost for
/// words and the third for JSON.
fn travel_agent(heard: &Heard) -> Said {
    let prompt = heard.prompt();
    let tasks = [("2024-05-17", "4421486"), ("2024-05-20", "4421487"), ("2024-05-24", "4421488")];
    let task =
        tasks.iter().position(|(day, card)| prompt.contains(day) || prompt.contains(card)).expect("a task");
    let [date, code, from, to, flight] = [
        ["2024-05-17", "WUNA5K", "JFK", "SEA", "HAT136"],
        ["2024-05-20", "Q69X3R", "BOS", "MCO", "HAT027"],
        ["2024-05-24", "H8Q05L", "DEN", "IAH", "HAT271"],
    ][task];
    let card = tasks[task].1;
    match task {
        1 if prompt.contains("are digests") => text(r#"{"say": "What was it you wanted?"}"#),
        2 if prompt.contains("are digests") => text(r#"{"tool": "search_direct_flight", "arguments": {"#),
        _ if prompt.contains("Yes, go ahead.") => text(format!(
            "```json\n{{\"tool\": \"update_reservation_flights\", \"arguments\": {{\"reservation_id\": \"{code}\", \"cabin\": \"Economy\", \"flights\": [{{\"flight_number\": \"{flight}\", \"date\": \"{date}\"}}], \"payment_id\": \"credit_card_{card}\"}}}}\n```"
        )),
        _ => text(format!(
            r#"search_direct_flight({{"origin": "{from}", "destination": "{to}", "date": "{date}"}})"#
        )),
    }
}

#[test]
fn decisions_under_a_digest_are_compared_with_the_record_and_with_the_full_context() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(|_, heard| travel_agent(heard));
    let report = play(&judge(&server, dir.path()), &game(&trajectories(), Method::Coverage, 0.1));
    let decisions = report.decisions.as_ref().expect("recorded calls");
    assert_eq!((decisions.calls, decisions.groups, report.pairs.is_none()), (6, 3, true));
    assert_eq!((value(decisions.full.same_action), value(decisions.full.same_tool)), (1.0, 1.0));
    assert_eq!(
        (value(decisions.digest.same_action), value(decisions.digest.same_tool)),
        (0.333_333, 0.333_333)
    );
    assert_eq!((decisions.digest.said, decisions.digest.no_answer, decisions.full.no_answer), (2, 2, 0));
    assert_eq!((value(decisions.difference), value(decisions.same_as_full)), (-0.666_667, 0.333_333));
    assert_eq!((decisions.full.usage.reported, decisions.full.usage.prompt_tokens), (6, 600));
    assert!(decisions.digest.usage.input_tokens < decisions.full.usage.input_tokens);
    assert_eq!((report.sent, report.usage.prompt_tokens), (12, 1200));
    assert!(report.table().contains("-66.7 %"), "{}", report.table());
}

#[test]
fn a_prompt_has_roles_tools_and_nothing_of_what_comes_after() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(|_, heard| travel_agent(heard));
    play(&judge(&server, dir.path()), &game(&trajectories(), Method::LrrcRerank, 0.4));
    let heard = server.heard();
    let searches = heard.iter().filter(|heard| !heard.prompt().contains("Yes, go ahead."));
    for heard in searches {
        let prompt = heard.prompt();
        assert!(prompt.contains("You are an airline agent."), "{prompt}");
        assert!(prompt.contains("\n- search_direct_flight(date, destination, origin)\n"), "{prompt}");
        assert!(!prompt.contains("departure"), "the result of the call is not known yet: {prompt}");
        let roles: Vec<_> = heard.body["messages"].as_array().expect("messages").iter().collect();
        assert_eq!(roles[0]["role"], "system");
        assert!(roles.windows(2).all(|two| two[0]["role"] != two[1]["role"]), "{roles:?}");
        assert_eq!(roles[roles.len() - 1]["role"], "user");
        let newest = roles[roles.len() - 1]["content"].as_str().expect("a text");
        assert!(newest.contains("would be right, and the cheapest flight please."), "{newest}");
        assert_eq!((&heard.body["temperature"], &heard.body["stream"]), (&0.into(), &false.into()));
    }
}

#[test]
fn a_judge_that_reads_agrees_in_both_orders() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(|_, heard| {
        let prompt = heard.prompt();
        let first = prompt.split("[Assistant B]").next().expect("an answer").contains("a good answer");
        text(if first { r#"{"winner": "A"}"# } else { "It is [[B]]" })
    });
    let report = play(&judge(&server, dir.path()), &game(&duels(), Method::Table, 0.4));
    let pairs = report.pairs.as_ref().expect("pairs");
    assert_eq!((pairs.pairs, pairs.groups, report.decisions.is_none()), (8, 4, true));
    assert_eq!((value(pairs.full.agreement), value(pairs.full.agreement_decided)), (1.0, 1.0));
    assert_eq!((value(pairs.full.position_bias), pairs.full.flipped), (0.0, 0));
    assert_eq!((value(pairs.difference), value(pairs.same_as_full)), (0.0, 1.0));
    let heard = server.heard();
    assert_eq!(heard.len(), 32, "8 pairs, full and digest, both orders");
    for heard in &heard {
        let body = heard.body.to_string().to_lowercase();
        assert!(!body.contains("grue") && !body.contains("bleen") && !body.contains("model_a"), "{body}");
    }
    for number in 0..8 {
        let asked =
            heard.iter().map(Heard::prompt).filter(|p| p.contains(&format!("What is question {number}?")));
        let asked: Vec<String> = asked.filter(|prompt| !prompt.contains("are digests")).collect();
        let good_first = |prompt: &&String| prompt.find("a good answer") < prompt.find("a poor answer");
        assert_eq!((asked.len(), asked.iter().filter(good_first).count()), (2, 1), "question {number}");
    }
}

#[test]
fn a_judge_that_likes_the_first_place_is_found_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(|_, heard| {
        text(if heard.prompt().contains("are digests") { "no idea" } else { "[[A]]" })
    });
    let report = play(&judge(&server, dir.path()), &game(&duels(), Method::Coverage, 0.4));
    let pairs = report.pairs.expect("pairs");
    assert_eq!((value(pairs.full.position_bias), pairs.full.first_twice, pairs.full.flipped), (1.0, 8, 8));
    assert_eq!(value(pairs.full.agreement), 0.0);
    assert_eq!((pairs.full.agreement_decided, pairs.digest.position_bias), (None, None));
    assert_eq!((pairs.digest.no_answer, value(pairs.same_as_full)), (8, 0.0));
    let (digests, full): (Vec<Heard>, Vec<Heard>) =
        server.heard().into_iter().partition(|heard| heard.prompt().contains("are digests"));
    let letters = |heard: &[Heard]| {
        let shown = |heard: &Heard| heard.body["messages"][1]["content"].as_str().map_or(0, str::len);
        heard.iter().map(shown).sum::<usize>()
    };
    assert!(letters(&digests) * 10 < letters(&full) * 9, "{} of {}", letters(&digests), letters(&full));
}

#[test]
fn a_second_run_asks_nothing_and_a_damaged_reply_is_asked_for_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(|number, _| text(format!("answer {number}")));
    let judge = judge(&server, dir.path());
    let mut asks = asks(5);
    asks.push(asks[0].clone());
    assert_eq!((judge.estimate(&asks).asks, judge.estimate(&asks).requests), (5, 5));
    let first = judge.play(&asks, &|_| ()).expect("answers");
    assert_eq!((first.sent, first.from_cache, server.heard().len()), (5, 0, 5));
    assert_eq!(first.replies[0], first.replies[5]);
    assert!((first.usd.expect("prices") - 5.0 * 120.0 / 1e6).abs() < 1e-12);
    assert_eq!(judge.estimate(&asks).usd_max, Some(0.0));
    let second = judge.play(&asks, &|_| ()).expect("answers");
    assert_eq!((second.sent, second.from_cache, server.heard().len()), (0, 5, 5));
    assert_eq!(second.replies, first.replies);

    std::fs::write(judge.cache.path(&asks[2]), "{\"format\": 1, ").expect("a file");
    let warnings = Mutex::new(Vec::new());
    let told = |event| {
        if let Event::Warning(text) = event {
            warnings.lock().expect("no panic").push(text);
        }
    };
    let third = judge.play(&asks, &told).expect("answers");
    assert_eq!((third.sent, third.from_cache), (1, 4));
    assert_eq!(third.replies[2].text.as_deref(), Some("answer 5"));
    let warnings = warnings.into_inner().expect("no panic");
    assert!(matches!(warnings.as_slice(), [told] if told.contains(&asks[2].key)), "{warnings:?}");
}

#[test]
fn passing_failures_are_waited_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(|number, _| match number {
        0 => {
            Said::Raw("429 Too Many Requests", "Retry-After: 0\r\n", "{\"error\": \"slow down\"}".to_owned())
        }
        1 => Said::Nothing,
        _ => text("at last"),
    });
    let judge = judge(&server, dir.path());
    let whys = Mutex::new(Vec::new());
    let told = |event| {
        if let Event::Again { why, wait } = event {
            whys.lock().expect("no panic").push((why, wait));
        }
    };
    let played = judge.play(&asks(1), &told).expect("an answer in the end");
    assert_eq!((played.sent, played.replies[0].text.as_deref()), (3, Some("at last")));
    let whys = whys.into_inner().expect("no panic");
    assert!(whys[0].0.contains("429") && whys[0].1 == Duration::ZERO, "{whys:?}");
    assert_eq!(whys.len(), 2);
}

#[track_caller]
fn failure(
    script: impl Fn(usize, &Heard) -> Said + Send + Sync + 'static,
    asks: &[Ask],
) -> (JudgeError, usize) {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(script);
    let judge = Judge { concurrency: 1, ..judge(&server, dir.path()) };
    let error = judge.play(asks, &|_| ()).expect_err("a failure");
    assert!(!format!("{error} {error:?}").contains(KEY), "{error:?}");
    (error, server.heard().len())
}

#[test]
fn an_endpoint_that_does_not_serve_ends_the_run() {
    let (error, heard) = failure(|_, _| Said::Raw("503 Busy", "", "later".to_owned()), &asks(4));
    assert!(
        matches!(&error, JudgeError::Exhausted { attempts: 3, why, .. } if why.contains("503")),
        "{error}"
    );
    assert_eq!(heard, 3);
    let (error, heard) =
        failure(|_, _| Said::Raw("429 Slow", "Retry-After: 3600\r\n", String::new()), &asks(4));
    assert!(matches!(error, JudgeError::LongWait { wait_s: 3600, longest_s: 5, .. }), "{error}");
    assert_eq!(heard, 1);
    let (error, heard) =
        failure(|_, _| Said::Raw("302 Found", "Location: /else\r\n", String::new()), &asks(4));
    assert!(matches!(error, JudgeError::Refused { status: 302, .. }), "{error}");
    assert_eq!(heard, 1);
    let (error, _) = failure(|_, _| Said::Raw("200 OK", "", "x".repeat(5 << 20)), &asks(1));
    assert!(error.to_string().contains("more than 4194304 bytes"), "{error}");
    let (error, heard) = failure(|_, _| Said::Raw("200 OK", "", "<html>a shop</html>".to_owned()), &asks(9));
    assert!(
        matches!(&error, JudgeError::NotChat { replies: 5, said, .. } if said.contains("shop")),
        "{error}"
    );
    assert_eq!(heard, 5);
}

#[test]
fn the_key_is_sent_and_shown_nowhere() {
    let repeat = |_: usize, heard: &Heard| {
        Said::Raw("401 Unauthorized", "", format!("{{\"error\": \"no such key: {}\"}}", heard.head))
    };
    let (error, _) = failure(repeat, &asks(1));
    let told = error.to_string();
    assert!(
        matches!(error, JudgeError::Refused { status: 401, .. }) && told.contains("Bearer [API key]"),
        "{told}"
    );

    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(|_, heard| text(heard.head.clone()));
    let judge = judge(&server, dir.path());
    let asks = asks(1);
    let played = judge.play(&asks, &|_| ()).expect("an answer");
    assert!(server.heard()[0].head.contains(&format!("Bearer {KEY}")));
    let stored = std::fs::read_to_string(judge.cache.path(&asks[0])).expect("a stored reply");
    for shown in [stored, format!("{played:?}"), format!("{judge:?}")] {
        assert!(!shown.contains(KEY), "{shown}");
    }
}

#[test]
fn replies_that_are_no_completion_count_as_no_answer_and_are_not_stored() {
    let dir = tempfile::tempdir().expect("a folder");
    let strange =
        |number| Said::Raw("200 OK", "", if number == 1 { "{\"choices\": []}" } else { "{" }.to_owned());
    let server = Server::start(move |number, _| if number == 0 { text("fine") } else { strange(number) });
    let judge = Judge { concurrency: 1, ..judge(&server, dir.path()) };
    let played: Played = judge.play(&asks(8), &|_| ()).expect("one good reply is enough");
    assert_eq!(played.replies.iter().filter(|reply| reply.text.is_some()).count(), 1);
    assert_eq!(judge.estimate(&asks(8)).requests, 7);
}

#[test]
fn caps_stop_a_run_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(|_, _| Said::Text("dear".to_owned(), [100_000, 0]));
    let asks = asks(6);
    let estimate = |judge: &Judge| judge.estimate(&asks);
    let mut judge = Judge { concurrency: 1, ..judge(&server, dir.path()) };
    judge.caps = Caps { max_usd: None, max_requests: Some(5) };
    assert!(matches!(estimate(&judge).check(&judge.caps), Err(JudgeError::AboveCap { .. })));
    let error = judge.play(&asks, &|_| ()).expect_err("a cap");
    assert!(matches!(error, JudgeError::CapReached { sent: 5, .. }), "{error}");
    assert_eq!((server.heard().len(), estimate(&judge).requests), (5, 1));

    // Each request was estimated at some 100 millionths of a dollar and costs a tenth of one.
    let other = tempfile::tempdir().expect("a folder");
    judge.cache = Cache::new(other.path());
    judge.caps = Caps { max_usd: Some(0.15), max_requests: None };
    estimate(&judge).check(&judge.caps).expect("the estimate is far below");
    let error = judge.play(&asks, &|_| ()).expect_err("a cap");
    assert!(matches!(error, JudgeError::CapReached { sent: 1, .. }), "{error}");
    assert!(error.to_string().contains("0.1000 USD"), "{error}");
    judge.caps = Caps::default();
    assert_eq!(judge.play(&asks, &|_| ()).expect("answers").sent, 5);
}
