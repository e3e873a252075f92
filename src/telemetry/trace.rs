//! W3C trace context as the text that messages carry. Without a collector there are no spans, and
//! what came with a message is carried on as it is.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The span of one call to Amazon.
pub const AMAZON_CALL: &str = "amazon call";

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The trace context of the current span as `traceparent`, else what came with the message.
#[must_use]
pub fn traceparent(came_with: Option<&str>) -> Option<String> {
    let mut carrier = HashMap::new();
    let context = Span::current().context();
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut carrier);
    }
    carrier
        .remove(TRACEPARENT)
        .or_else(|| came_with.filter(|text| is_valid(text)).map(String::from))
}

/// Makes the span a child of the context that a message or request came with; what cannot be read
/// is no parent.
pub fn continue_from(span: &Span, traceparent: Option<&str>, tracestate: Option<&str>) {
    let Some(traceparent) = traceparent.filter(|text| is_valid(text)) else { return };
    let mut carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    if let Some(tracestate) = tracestate {
        carrier.insert(TRACESTATE.to_owned(), tracestate.to_owned());
    }
    let parent = TraceContextPropagator::new().extract(&carrier);
    // Without a collector no span can have a parent.
    drop(span.set_parent(parent));
}

/// Whether a text is a `traceparent` as the standard has it: a stranger's text goes no further.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), text.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    context.span().span_context().is_valid()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn without_spans_what_came_is_carried_on() {
        assert_eq!(traceparent(Some(GIVEN)).as_deref(), Some(GIVEN));
        assert_eq!(traceparent(None), None);
    }

    #[test]
    fn what_is_no_trace_context_goes_no_further() {
        for text in ["", "x", "00-0-0-01", &GIVEN.replace("0af", "zzz"), "<script>"] {
            assert_eq!(traceparent(Some(text)), None, "{text}");
        }
    }

    #[test]
    fn with_spans_the_trace_goes_on_under_a_span_of_its_own() {
        use opentelemetry::trace::TracerProvider;
        use tracing_subscriber::layer::SubscriberExt;

        let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("command");
            continue_from(&span, Some(GIVEN), None);
            let _inside = span.enter();
            let told = traceparent(Some(GIVEN)).unwrap();
            assert_eq!(told[..36], GIVEN[..36]);
            assert_ne!(told, GIVEN);
        });
    }
}
