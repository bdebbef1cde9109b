//! When the lab serves: what the engine says of its replicas, and what comes
//! through the URL.

use anyhow::{Context as _, Result};
use terms::tr;

use super::seam::Engine;
use crate::facts::Facts;
use crate::http;
use crate::ui::Ui;
use crate::wait;

/// With two replicas chosen at random, a dead one stays unseen with probability 2^-10.
const ANSWERS_IN_A_ROW: u32 = 10;

/// Waits until as many replicas as declared get requests, and whoever is asked
/// answers; returns the lab as it is then.
pub fn wait_until_ready(engine: &dyn Engine) -> Result<Facts> {
    let (facts, url) = wait::until(wait::APP_READY, || {
        engine.insist_on_life()?;
        let facts = engine.facts()?;
        let ready = facts.wanted > 0 && facts.ready() >= facts.wanted as usize;
        let url = facts.url.clone().filter(|_| ready);
        Ok(url.map(|url| (facts, url)))
    })?;
    wait_until_answered(&url, || engine.insist_on_life())?;
    Ok(facts)
}

/// Waits, as a step that is shown, until the replicas that are asked for answer; none may be.
pub fn show_ready(ui: &Ui, engine: &dyn Engine) -> Result<()> {
    let step = ui.step(tr!("replicas ready", "répliques prêtes"));
    let facts = wait::until(wait::APP_READY, || {
        let facts = engine.facts()?;
        Ok((facts.ready() >= facts.wanted as usize).then_some(facts))
    })?;
    if facts.wanted == 0 {
        step.done(tr!("none is asked for", "aucune n'est demandée"));
        return Ok(());
    }
    let url = facts
        .url
        .context(tr!("the lab has no URL", "le lab n'a pas d'URL"))?;
    wait_until_answered(&url, || engine.insist_on_life())?;
    step.done(tr!("they answer", "elles répondent"));
    Ok(())
}

/// Waits until every replica answers through the service, which learns of ready and of
/// dead replicas later than the engine does.
pub fn wait_until_answered(url: &str, insist_on_life: impl Fn() -> Result<()>) -> Result<()> {
    let mut in_a_row = 0;
    wait::until(wait::APP_SERVES, || {
        insist_on_life()?;
        let answered = http::get_ok(url, "/health", &[]).is_ok();
        in_a_row = if answered { in_a_row + 1 } else { 0 };
        Ok((in_a_row >= ANSWERS_IN_A_ROW).then_some(()))
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers all connections but these, and says how many came.
    fn service(silent: &'static [u32]) -> (String, std::thread::JoinHandle<u32>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let count = move || {
            for number in 1.. {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 4096];
                let length = stream.read(&mut asked).unwrap();
                if asked[..length].starts_with(b"GET /enough") {
                    return number - 1;
                }
                if !silent.contains(&number) {
                    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
            0
        };
        (url, std::thread::spawn(count))
    }

    #[test]
    fn one_answer_among_failures_is_no_service_yet() {
        let (url, service) = service(&[1, 3, 12]);
        wait_until_answered(&url, || Ok(())).unwrap();
        // Nobody answers that one.
        http::get(&url, "/enough", &[]).unwrap_err();
        assert_eq!(service.join().unwrap(), 12 + ANSWERS_IN_A_ROW);
    }
}
