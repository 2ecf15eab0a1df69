//! One vertex: its cache key, the look into the cache, the work when it is not there, and the layer of it.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::SemaphorePermit;

use slipway_store::{Digest, ImageRecord, Resource, now_unix_nanos, rfc3339};

use crate::build::{Build, blocking};
use crate::cache::{About, CachedLayer, Entry, Flight};
use crate::error::{BuildError, ErrorCode, Result};
use crate::event::{Miss, Reason, Status, VertexEvent, millis};
use crate::executor::ExecOutcome;
use crate::fetch::{self, Fetched};
use crate::layer::{LayerRef, Output};
use crate::plan::{Op, Vertex};
use crate::reason::{Inputs, slots};
use crate::seal::{Seal, layer_info, record};
use crate::{exec, fileops, key, run_mounts};

/// What a vertex reads: its own file system, and others.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub input: Option<Output>,
    /// Of COPY --from and RUN --mount=from, in their order.
    pub others: Vec<Output>,
}

/// Solves a vertex and tells its events, but for those of a failure.
///
/// # Errors
/// Why the step, and with it the build, failed.
pub async fn solve(build: &Arc<Build>, vertex: &Vertex, given: Given) -> Result<Output> {
    let started = Instant::now();
    match &vertex.op {
        Op::Scratch {} => {
            tell(build, vertex, Status::Cached, started).await;
            Ok(Output { id: key::base_output(&[]), layers: Vec::new() })
        }
        Op::Context { name } => {
            let root = build.context.root(Some(name)).ok_or_else(|| BuildError::internal("solving a step", "its context did not come"))?;
            let output = Output { id: key::context_output(&fileops::whole(root)?), layers: Vec::new() };
            tell(build, vertex, Status::Cached, started).await;
            Ok(output)
        }
        Op::Image { reference, digest } => {
            let output = base_image(build, reference, digest)?;
            tell(build, vertex, Status::Cached, started).await;
            Ok(output)
        }
        Op::Http(op) => {
            let name = fetch::name(op);
            let alone = build.cache.flight(&build.scopes, &name);
            let _one_at_a_time = tokio::select! {
                guard = alone.lock.lock() => guard,
                () = build.stop.cancelled() => return Err(BuildError::canceled()),
            };
            let fetched = fetch::fetch(build, vertex, op).await?;
            let nothing = Output { id: key::base_output(&[]), layers: Vec::new() };
            let (beneath, fetched) = (nothing.clone(), Some(fetched));
            Step { build, vertex, input: nothing, linked: false, beneath, others: Vec::new(), fetched, started }.solve().await
        }
        _ => {
            let input = given.input.clone().ok_or_else(|| BuildError::internal("solving a step", "it has no input"))?;
            let linked = matches!(&vertex.op, Op::Copy(op) if op.link);
            let beneath = if linked { Output { id: key::base_output(&[]), layers: Vec::new() } } else { input.clone() };
            Step { build, vertex, input, linked, beneath, others: given.others, fetched: None, started }.solve().await
        }
    }
}

async fn tell(build: &Build, vertex: &Vertex, status: Status, started: Instant) {
    let mut event = VertexEvent::new(&vertex.id, status);
    event.duration_ms = Some(millis(started.elapsed()));
    build.events.vertex(event).await;
}

/// The base image in this host's store: by its id, its manifest's digest, or the digest its registry gave it.
///
/// # Errors
/// `BASE_NOT_FOUND`.
pub fn find_base(build: &Build, reference: &str, digest: &str) -> Result<ImageRecord> {
    let store = build.layers.store();
    let missing = || {
        BuildError::new(
            ErrorCode::BaseNotFound,
            format!("The base image `{reference}` is not on the build host; check its name and that it can be pulled, then build again."),
        )
    };
    let wanted: Digest = digest.parse().map_err(|_| missing())?;
    let by_manifest = || store.images().into_iter().find(|image| image.record.manifest.digest == wanted);
    let by_name = || {
        let reference = slipway_store::Reference::parse(reference).ok()?.with_digest(wanted);
        store.resolve(&reference.canonical()).ok()
    };
    let image = store.image(&wanted).ok().or_else(by_manifest).or_else(by_name).ok_or_else(missing)?;
    Ok(image.record)
}

fn base_image(build: &Build, reference: &str, digest: &str) -> Result<Output> {
    let record = find_base(build, reference, digest)?;
    let failed = |error| BuildError::internal("holding the base image", error);
    for resource in [record.manifest.digest, record.config.digest].map(Resource::Blob) {
        build.lease.hold(resource).map_err(failed)?;
    }
    let mut layers = Vec::with_capacity(record.layers.len());
    for (descriptor, diff_id) in record.layers.iter().zip(&record.diff_ids) {
        build.lease.hold(Resource::Blob(descriptor.digest)).map_err(failed)?;
        build.lease.hold(Resource::Layer(*diff_id)).map_err(failed)?;
        layers.push(CachedLayer { descriptor: descriptor.clone(), diff_id: *diff_id, unpacked_size: 0, form: None });
    }
    let id = key::base_output(&Output::diff_ids_of(&layers));
    Ok(Output { id, layers: layers.into_iter().map(|layer| LayerRef::stored(None, layer, None)).collect() })
}

struct Step<'a> {
    build: &'a Arc<Build>,
    vertex: &'a Vertex,
    /// What the vertex's layer comes on top of.
    input: Output,
    /// COPY --link: the layer is made, and found again, without a look at the input.
    linked: bool,
    /// What the vertex sees: its input, or nothing.
    beneath: Output,
    others: Vec<Output>,
    /// Of a URL.
    fetched: Option<Fetched>,
    started: Instant,
}

/// What running a vertex left behind.
#[derive(Default)]
struct Done {
    /// `None`: nothing changed, no layer.
    upper: Option<PathBuf>,
    outcome: Option<ExecOutcome>,
}

impl Step<'_> {
    async fn solve(self) -> Result<Output> {
        let inputs = self.inputs().await?;
        self.build.sharing.note_key(&self.vertex.id, &inputs.key);
        if self.build.request.no_cache {
            let miss = Miss { reason: Reason::NoCache, detail: "this build was asked not to use the cache".into() };
            return self.work(inputs, miss, None, Duration::ZERO).await;
        }
        if let Some(output) = self.build.cache.in_flight(&self.build.scopes, &inputs.key) {
            return self.shared(output, &inputs, Duration::ZERO);
        }
        if let Some(entry) = self.lookup(&inputs.key)? {
            return self.cached(entry, None, &inputs, Duration::ZERO).await;
        }
        if let Some((entry, layer)) = self.build.sharing.lookup(self.build, &self.vertex.id, &inputs.key).await {
            if layer.is_none() {
                self.build.cache.insert(&self.build.scopes, &entry)?;
            }
            return self.cached(entry, layer, &inputs, Duration::ZERO).await;
        }
        let miss = self.explain(&inputs);
        let flight = self.build.cache.flight(&self.build.scopes, &inputs.key);
        let asked = Instant::now();
        let guard = tokio::select! {
            guard = flight.lock.lock() => guard,
            () = self.build.stop.cancelled() => return Err(BuildError::canceled()),
        };
        // Another build may have done the same work while this one waited.
        if let Some(output) = flight.made() {
            return self.shared(output, &inputs, asked.elapsed());
        }
        if let Some(entry) = self.lookup(&inputs.key)? {
            return self.cached(entry, None, &inputs, asked.elapsed()).await;
        }
        let output = self.work(inputs, miss, Some(flight.clone()), asked.elapsed()).await;
        drop(guard);
        output
    }

    async fn inputs(&self) -> Result<Inputs> {
        let plan = &self.build.request.plan;
        let (key, files) = match &self.vertex.op {
            Op::Exec(op) => {
                let (build, vertex, op_, others) = (self.build.clone(), self.vertex.clone(), op.clone(), self.others.clone());
                let files = blocking(move || run_mounts::checksums(&build, &vertex, &op_, &others)).await?;
                (key::exec_key(&self.beneath.id, op, files.as_ref(), &plan.platform), files)
            }
            Op::Mkdir { path, user, .. } => (key::mkdir_key(&self.beneath.id, path, user), None),
            Op::Copy(op) => {
                let (build, vertex, op_, others) = (self.build.clone(), self.vertex.clone(), op.clone(), self.others.clone());
                let files = blocking(move || fileops::checksums(&build, &vertex, &op_, &others)).await?;
                (key::copy_key(&self.beneath.id, op, &files), Some(files))
            }
            Op::Http(op) => {
                let fetched = self.fetched.as_ref().ok_or_else(|| BuildError::internal("solving a step", "nothing was fetched"))?;
                (key::http_key(op, &fetched.content), None)
            }
            Op::Image { .. } | Op::Scratch {} | Op::Context { .. } => {
                return Err(BuildError::internal("solving a step", "a source has no inputs"));
            }
        };
        let content = self.fetched.as_ref().map(|fetched| fetched.content.clone());
        Ok(Inputs::new(plan, self.vertex, &key, &self.beneath.id, files).with_fetched(content))
    }

    /// Of the layer's own id: a linked one lies on many inputs.
    fn output_id(&self, own: String) -> String {
        if self.linked { key::linked_output(&self.input.id, &own) } else { own }
    }

    fn lookup(&self, key: &str) -> Result<Option<Entry>> {
        self.build.cache.lookup(&self.build.lease, &self.build.scopes, key)
    }

    fn explain(&self, inputs: &Inputs) -> Miss {
        let [place, text] = slots(&self.build.request.plan, self.vertex, &self.build.lineage());
        let recall = |slot: &str| self.build.cache.recall::<Inputs>(&self.build.scopes, "slots", slot);
        let here = recall(&place).filter(|before| before.instruction == inputs.instruction);
        let before = here.or_else(|| recall(&text)).or_else(|| recall(&place));
        let mut miss = inputs.explain(before.as_ref());
        let first = self.vertex.op.inputs().next().and_then(|input| self.build.first_cause(input));
        if let Some(cause) = first.as_ref().filter(|_| miss.reason == Reason::InputChanged) {
            miss.detail = format!("because of {cause}");
        }
        let own = || format!("line {}, `{}`: {}", self.vertex.line, exec::short(self.vertex), miss.detail).into();
        self.build.note_cause(&self.vertex.id, first.unwrap_or_else(own));
        miss
    }

    /// `waited`: for another build's same step, which is no time of its own.
    fn hit(&self, inputs: &Inputs, waited: Duration) -> VertexEvent {
        let mut event = VertexEvent::new(&self.vertex.id, Status::Cached);
        event.duration_ms = Some(millis(self.started.elapsed().saturating_sub(waited)));
        event.wait_ms = (!waited.is_zero()).then(|| millis(waited));
        event.content_digest = inputs.content_digest();
        event
    }

    /// `remote`: the entry's layer, when it is still in a registry.
    async fn cached(&self, entry: Entry, remote: Option<Arc<LayerRef>>, inputs: &Inputs, waited: Duration) -> Result<Output> {
        let mut event = self.hit(inputs, waited);
        event.layer = entry.layer.as_ref().map(layer_info);
        record(self.build, self.vertex, inputs, true)?;
        self.build.events.vertex(event).await;
        let Some(layer) = entry.layer else { return Ok(Output { id: self.input.id.clone(), ..self.input.clone() }) };
        let mut layers = self.input.layers.clone();
        layers.push(remote.unwrap_or_else(|| LayerRef::stored(Some(&self.vertex.id), layer, Some(entry.created))));
        Ok(Output { id: self.output_id(entry.output), layers })
    }

    /// Takes what another build has just made.
    fn shared(&self, output: Output, inputs: &Inputs, waited: Duration) -> Result<Output> {
        record(self.build, self.vertex, inputs, true)?;
        let mut event = self.hit(inputs, waited);
        let (build, layer) = (self.build.clone(), output.layers.last().cloned());
        self.build.add_seal(tokio::spawn(async move {
            if let Some(Ok(sealed)) = futures::future::OptionFuture::from(layer.as_ref().map(|layer| layer.sealed())).await {
                event.layer = Some(layer_info(&sealed.layer));
            }
            build.events.vertex(event).await;
        }));
        let mut layers = self.input.layers.clone();
        layers.extend(output.layers.last().cloned());
        Ok(Output { id: self.output_id(output.id), layers })
    }

    /// `waited`: for another build's same step, until now.
    async fn work(mut self, inputs: Inputs, miss: Miss, flight: Option<Arc<Flight>>, waited: Duration) -> Result<Output> {
        if self.build.stopped() {
            return Err(BuildError::canceled());
        }
        let asked = Instant::now();
        let fetched = self.fetched.take();
        let permit = self.permit().await?;
        let waited = waited + asked.elapsed();
        let mut event = VertexEvent::new(&self.vertex.id, Status::Running);
        event.miss = Some(miss.clone());
        event.wait_ms = Some(millis(waited));
        // A download has been going on for a while.
        event.at = fetched.as_ref().and_then(|fetched| fetched.told).unwrap_or(event.at);
        self.build.events.vertex(event).await;
        let done = self.run(fetched).await?;
        drop(permit);
        let created = rfc3339(slipway_store::from_unix(now_unix_nanos()));
        let seal = Seal {
            build: self.build.clone(),
            vertex: self.vertex.clone(),
            miss,
            elapsed: millis(self.started.elapsed().saturating_sub(waited)),
            outcome: done.outcome,
            entry: Entry {
                key: inputs.key.clone(),
                output: self.input.id.clone(),
                layer: None,
                created,
                about: Some(About::new(&self.vertex.instruction, &self.build.lineage())),
            },
            inputs,
            flight: flight.clone(),
        };
        match done.upper {
            None => {
                seal.without_layer().await?;
                Ok(self.input)
            }
            Some(upper) => {
                let id = key::fresh_output(&seal.entry.key, &self.build.request.id, &self.vertex.id);
                let mut layers = self.input.layers.clone();
                layers.push(seal.start(upper, id.clone()));
                let output = Output { id, layers };
                if let Some(flight) = flight {
                    flight.land(Some(output.clone()));
                }
                Ok(Output { id: self.output_id(output.id), ..output })
            }
        }
    }

    /// A RUN's place among those that run at once; the others need none.
    async fn permit(&self) -> Result<Option<SemaphorePermit<'_>>> {
        if !matches!(self.vertex.op, Op::Exec { .. }) {
            return Ok(None);
        }
        tokio::select! {
            permit = self.build.execs.acquire() => permit.map(Some).map_err(|error| BuildError::internal("running a step", error)),
            () = self.build.stop.cancelled() => Err(BuildError::canceled()),
        }
    }

    async fn run(&self, fetched: Option<Fetched>) -> Result<Done> {
        let (build, vertex, input, others) = (self.build.clone(), self.vertex.clone(), self.beneath.clone(), self.others.clone());
        match &self.vertex.op {
            Op::Exec(op) => {
                let ran = exec::run(self.build, self.vertex, op, &self.input, &self.others).await?;
                Ok(Done { upper: Some(ran.upper), outcome: Some(ran.outcome) })
            }
            Op::Copy(op) => {
                let op = op.clone();
                let upper = blocking(move || fileops::run_copy(&build, &vertex, &op, &input, &others)).await?;
                Ok(Done { upper: Some(upper), outcome: None })
            }
            Op::Http(op) => {
                let fetched = fetched.ok_or_else(|| BuildError::internal("solving a step", "nothing was fetched"))?;
                Ok(Done { upper: Some(fetch::make(self.build, self.vertex, op, fetched).await?), outcome: None })
            }
            Op::Mkdir { path, user, .. } => {
                let (path, user) = (path.clone(), user.clone());
                let upper = blocking(move || fileops::run_mkdir(&build, &vertex, &path, &user, &input)).await?;
                Ok(Done { upper, outcome: None })
            }
            Op::Image { .. } | Op::Scratch {} | Op::Context { .. } => Ok(Done::default()),
        }
    }
}
