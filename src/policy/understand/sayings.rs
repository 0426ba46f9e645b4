//! What is told to a model, by what it is for: the expressions behind `prompt.rs`.

use crate::policy::signal::Signal;
use regex::bytes::{Regex, RegexBuilder};
use std::sync::LazyLock;

/// What wakes this kind of understanding.
pub(in crate::policy::understand) const WAKE: &str = r"\b(?:ignore|disregard|forget|override|bypass|overrule|neglect|dismiss|skip|discard|instead of following|stop following|do not follow|don't follow|ignora|ignorez|oubliez|ignoriere|vergiss|olvida|abaikan|lupakan)\b|\byou (?:are|will|must|have to|can) |\b(?:act|behave|respond|roleplay|role-play) as\b|\bpretend\b|\bimagine you\b|\bfrom now on\b|\bjailbreak|\bdeveloper mode\b|\bdo anything now\b|\bDAN\b|system prompt|system message|initial (?:prompt|instructions)|(?:your|the|above|hidden|original|previous|prior|secret|all) (?:instructions|prompts?|rules|guidelines|directives|programming|words)|\bim_(?:start|end|sep)\b|\[/?inst\]|<</?sys>>|\[/?system|### *(?:system|instruction|human|assistant)|</?(?:system|important|instructions?|secret|hidden|admin|assistant|user)>|<!--|\bdo not (?:tell|mention|inform|reveal|disclose|notify|show|let|alert)\b|\bdon't (?:tell|mention|inform|notify|let)\b|\bwithout (?:telling|informing|notifying|mentioning|the user)|\bbefore using (?:this|any)|\bendoftext\b|\bnew instructions?\b|\bsudo mode\b|\b(?:unrestricted|unfiltered|uncensored)\b|\bno (?:restrictions|rules|filters|limitations)\b|\byour (?:[a-z]+ ){0,2}(?:instructions|prompts?|rules|guidelines|directives|programming|task|restrictions)\b|\brepeat (?:everything|all)\b|\bapi keys?\b|\bcredentials\b|\bprivate keys?\b|\b(?:conversation|chat) history\b|\bpasswords?\b|\baccess tokens?\b|\bnever (?:tell|inform|mention|notify|reveal)\b|\bwithout any\b|\b(?:act|behave|respond) like\b|\byou have no\b|\bsecretly\b|\bexfiltrate\b";

/// Ways to say one thing.
pub(super) struct Sayings {
    /// What they ask for.
    pub(super) signal: Signal,
    /// It is not weighed against signs that the text only speaks of such texts.
    pub(super) always: bool,
    pub(super) regex: Option<Regex>,
}

fn sayings(signal: Signal, always: bool, text: &str) -> Sayings {
    // Between two words may stand any space, and the marks of Markdown.
    let text = text.replace(" ?", r"[\s_*]*").replace(' ', r"[\s_*]+");
    let regex = RegexBuilder::new(&text).case_insensitive(true).unicode(false).build().ok();
    Sayings { signal, always, regex }
}

/// What is told to a model, by what it is for.
pub(super) static SAYINGS: LazyLock<Vec<Sayings>> = LazyLock::new(|| {
    use Signal::{PromptExfiltration, PromptHidden, PromptMarker, PromptOverride, PromptRole};
    vec![
        sayings(
            PromptOverride,
            false,
            r"\b(?:ignore|disregard|forget|override|bypass|overrule|neglect|dismiss|discard|skip|stop following|do not follow|don't follow|abandon|erase)\b[\s,:]+(?:(?:about|to|everything|anything|all|any|every|each|of|the|your|my|our|these|those|this|that|and|or|completely|fully|safely|please|just|above|other|now) ){0,5}?(?:previous|prior|above|preceding|earlier|initial|original|existing|former|foregoing|current|past|system|safety|given|old|last|all|your|other|any|default|built-in)[\s,]+(?:[a-z]+[\s,]+){0,3}?(?:instructions?|prompts?|directions?|directives?|rules?|guidelines?|commands?|orders?|constraints?|restrictions?|programming|training|context|policies|protocols|safeguards|guardrails)\b",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:ignore|disregard|forget)\b (?:all |everything |anything |any of )?(?:what |that )?(?:(?:i|we|they|was|were|you were|you have been|you've been|he|she|i've|has been) (?:just )?(?:said|told|written|instructed|given|taught|learned)|(?:you know|you learned|you've learned)|(?:everything|anything|all|what(?:ever)?) (?:above|before|said|that came before|prior|previously|i said|i told you|you were told|you have been told|you've been told)|all (?:of )?(?:the )?(?:above|previous|prior)\b)",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:ignore|disregard|forget) (?:everything|all|anything) (?:you were|you have been|you've been|that was|that you were) (?:told|taught|given|instructed)",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:your|the) (?:new|real|actual|true|updated) (?:instructions?|task|objective|goal|mission|orders|directive|purpose) (?:is|are|now|will be|:)",
        ),
        sayings(
            PromptOverride,
            false,
            r"(?:^|[\n.!?*#\[(:]\s*)(?:new|updated|revised|urgent|important) (?:instructions?|system prompt|directives?|orders?|task)\s*[:\]]",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:instructions?|rules|guidelines|prompt|restrictions) (?:above|before this|so far|given earlier) (?:are|is|were|was|no longer) (?:now )?(?:void|cancel|obsolete|a test|fake|appl|invalid|superseded|null|replaced|over)",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:ignora|olvida|ignorez|oubliez|ignoriere?|vergiss|abaikan|lupakan|ignorar|esqueca|dimentica) (?:[a-z]+ ){0,3}?(?:instrucciones|instructions|anweisungen|instruksi|perintah|instrucoes|istruzioni|vorgaben|ordenes|consignes|indicaciones)",
        ),
        sayings(
            PromptRole,
            false,
            r"\byou (?:are|will|will be|shall be|must be|become) (?:now |from now on |no longer |henceforth )(?:going to |to )?(?:(?:act|behave|be|play|pretend|respond|bound|restricted|constrained|limited|an? )\b ?(?:as |to |by )?(?:an? )?)?(?:dan\b|stan\b|aim\b|dude\b|unrestricted|unfiltered|uncensored|jailbroken|evil|free from|free of|in (?:developer|debug|god|admin|root|maintenance|sudo) mode|(?:an? |the )?(?:[a-z]+ )?(?:ai|bot|assistant|chatbot|language model|hacker|terminal|shell|root|admin|linux|pirate|character|persona|model)\b|bound|restricted|constrained)",
        ),
        sayings(
            PromptRole,
            false,
            r"\bfrom (?:now on|this (?:point|moment) (?:on|onward|onwards|forward))[\s,]+(?:you|your|respond|answer|act|reply|speak|ignore|always|never) ?(?:are|will|must|shall|can|should|have|only|as|respond|answer|act|to|all)\b",
        ),
        sayings(
            PromptRole,
            false,
            r"\b(?:act|behave|respond|answer|reply|roleplay|role-play|operate|function|play|pose) (?:as|like) (?:if you (?:are|were|have|had)|though you|an? |the |my )?(?:[a-z]+ )?(?:unrestricted|unfiltered|uncensored|jailbroken|evil|amoral|unethical|immoral|dan\b|hacker|malware|no (?:rules|restrictions|limits|filter)|deceased grandmother|grandmother who)",
        ),
        sayings(
            PromptRole,
            false,
            r"\b(?:pretend|imagine|act as if|assume|suppose|simulate)\b[\s,]+(?:that )?(?:you|to|your|being|there)[\s,]*(?:'re|are|have|had|were|be|can|do)? ?(?:not |no longer |no |an? |any )?(?:have )?(?:any |no )?(?:restrictions?|rules|guidelines|limit(?:s|ations?)|filters?|ethic(?:s|al)|moral|safety|content polic|unrestricted|unfiltered|evil|an ai (?:without|with no)|dan\b|bound|constrain)",
        ),
        sayings(
            PromptRole,
            false,
            r"\b(?:enable|enter|activate|switch to|turn on|engage|you are in|unlock) (?:into |the |your )?(?:developer|dan|jailbreak|god|debug|admin|sudo|unrestricted|unfiltered|maintenance|evil) mode\b",
        ),
        sayings(
            PromptRole,
            false,
            r"\bdo anything now\b|\bstay(?:ing)? in character\b.{0,80}\b(?:dan|rules|refuse|policy|never break)\b|\b(?:without|with no|ignoring|free of|free from) (?:any |all )?(?:ethical|moral|safety|content|openai|anthropic|ai|censorship) (?:restrictions?|guidelines?|constraints?|filters?|polic(?:y|ies)|considerations|limitations?|boundaries)",
        ),
        sayings(
            PromptRole,
            false,
            r"(?:^|[.!?:;,\n]\s*|\bnow |\bthat |\band )you (?:have|do) (?:no|not have(?: any)?) (?:rules|restrictions|limitations|filters|ethical|moral|content polic|guidelines)(?:\s*[.!,:;]|\s*$|\s+(?:and|so|anymore|whatsoever|now|at|or))",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:reveal|show|print|display|output|repeat|tell|give|expose|leak|dump|share|return|disclose|write out|list|recite|echo|provide|send|copy|translate|summari[sz]e|encode|what (?:is|are|was|were))\b(?:[\s,]+(?:me|us|out|back|all|of|to|the|your|with|exact|exactly|full|complete|entire|verbatim|word|for|contents?|text|initial|original|hidden|secret|confidential|internal|current|in|a|code|block|above|previous|and|underlying)){0,8}? (?:your|the hidden|the secret|the (?:exact|full|entire|complete|initial|original|confidential|internal)|the text of (?:your|the)|(?:your|the) (?:full|initial|original|system|hidden|exact|secret|entire|complete|underlying)) ?(?:system |initial |original |hidden |secret |developer |internal |base |exact |full |entire |complete |confidential |underlying )*(?:system )?(?:prompts?|instructions?|directives?|system messages?|programming|guidelines|configuration prompt|pre-?prompt|rules you)\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:reveal|print|show|display|output|repeat|dump|leak|expose|tell me|give me|disclose|share) (?:me )?(?:the |your |its )?(?:full |entire |complete |exact )?system (?:prompt|message|instructions?)\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\brepeat everything (?:above|before|prior|you were|in your)|\brepeat (?:all |everything |the )?(?:of )?(?:the )?(?:words?|text|everything|content|sentences|phrases?|instructions) (?:above|before|starting|prior|that (?:came|comes) before|preceding)",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:send|post|upload|forward|email|exfiltrate|transmit|leak|append|include|pass|encode)\b[^.\n]{0,80}\b(?:api keys?|passwords?|credentials|secrets?|private keys?|ssh keys?|access tokens?|environment variables|conversation(?: history)?|chat (?:history|log)|user(?:'s)? (?:data|messages|emails?|information))\b[^.\n]{0,80}?(?:(?:\bto\b|\bat\b)[^.\n]{0,20}?(?:https?:|[\w.+-]+@[\w-]+\.|\battacker|\bthe following (?:url|address|server)|\bwebhook)|\bin\b[^.\n]{0,20}?(?:\bsidenote|\bnote\b|\bparameter))",
        ),
        sayings(
            PromptMarker,
            true,
            r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|endofprompt|start_header_id|end_header_id|eot_id|begin_of_text)\|>|\[/?inst\]|<</?sys>>",
        ),
        sayings(
            PromptMarker,
            false,
            r"(?:^|\n|[.\]}>\x22'])\s*\[(?:system|admin|developer|assistant|instructions?)(?: (?:message|prompt|note|override|instructions?|notice))?\]\s*:?\s*(?:(?:the )?(?:assistant|ai|model|user|agent)\b|you\b|ignore|disregard|new |forget|do not|never|always|from now|reveal|execute|call|send|override|all )",
        ),
        sayings(
            PromptMarker,
            false,
            r"(?:^|\n)\s*#{2,4} ?(?:system|instructions?|human|assistant)(?: (?:prompt|message|override))?\s*:\s*(?:\n\s*)?(?:you|ignore|disregard|do not|reveal|forget|new|always|never|the )",
        ),
        sayings(
            PromptMarker,
            false,
            r"</?(?:system|assistant|user|human)(?:[-_ ](?:prompt|message|instructions?|override|reminder))?>\s*(?:you\b|ignore|disregard|do not|new |forget|reveal|from now|the assistant|always|never|your )",
        ),
        sayings(
            PromptMarker,
            false,
            r"(?:-{3,}|={3,}|\*{3,}) ?(?:end|begin|start|stop|new)(?: of)?(?: the)? (?:system|user|prompt|instructions?|context|document|input|data|conversation|new)(?: (?:prompt|instructions?|message|input))? ?(?:-{3,}|={3,}|\*{3,})",
        ),
        sayings(
            PromptHidden,
            false,
            r"<(?:important|secret|hidden|instructions?|system|critical|urgent|admin|note)>(?:.|\n){0,800}?\b(?:do not|don't|never|without) (?:tell|mention|inform|reveal|disclos|notify|show|let|explain|telling|mentioning|informing|alert|ask)(?:.|\n){0,400}",
        ),
        sayings(
            PromptHidden,
            false,
            r"<(?:important|secret|hidden|instructions?|critical)>(?:.|\n){0,400}?\b(?:before (?:using|calling|you use|you call|invoking|running)|you (?:must|should|need to|have to)|always|first)\b(?:.|\n){0,200}?(?:\bread\b|\bcall\b|\bsend\b|\bpass\b|\binclude\b|\baccess\b|\.ssh|\.env|id_rsa|mcp\.json|credentials|config)",
        ),
        sayings(
            PromptHidden,
            false,
            r"<!--(?:.|\n){0,400}?\b(?:ai|assistant|llm|model|agent|chatbot|gpt|claude|copilot|language model)s?\b(?:.|\n){0,300}?\b(?:must|should|ignore|do not|send|include|call|execute|run|reveal|don't|always|please|instruct)(?:.|\n){0,300}?-->",
        ),
        sayings(
            PromptHidden,
            false,
            r"\b(?:do not|don't|never|without) (?:tell|mention|inform|telling|mentioning|informing|notify|notifying|alert|alerting|reveal|revealing|disclose|let) (?:this |it |that |about this |anything )?(?:to |about (?:this|it) )?(?:to )?(?:the |any )?(?:user|human|person|operator|owner)s?\b[^\n]{0,200}\b(?:read|send|call|include|pass|access|forward|copy|file|tool|secret|key|password|credential|email|bcc|upload|instructions?)\b",
        ),
        sayings(
            PromptHidden,
            false,
            r"\b(?:read|send|call|include|pass|access|forward|copy|attach|upload|bcc)\b[^\n]{0,240}\b(?:do not|don't|never|without) (?:tell|mention|inform|telling|mentioning|informing|notify|notifying|alert|alerting|reveal|revealing|disclose|disclosing|let)(?:ing)? (?:this |it |that |about this |anything )?(?:to )?(?:the |any )?(?:user|human|person|operator|owner)s?\b",
        ),
        sayings(
            PromptHidden,
            false,
            r"\b(?:before|whenever|when|prior to) (?:using|calling|invoking|running|you use|you call|executing) (?:this|any|the|other|another) (?:[a-z_]+ )?(?:tool|function)s?\b[^\n]{0,160}\b(?:read|cat|open|fetch|access|load|send)\b[^\n]{0,80}(?:\.ssh|\.env|id_rsa|\.aws|mcp\.json|credentials|/etc/|private key|api key|password|secret|token)",
        ),
    ]
});
