//! What is told to a model, by what it is for: the expressions behind `prompt.rs`.

use crate::policy::signal::Signal;
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder, SetMatches};
use std::sync::{LazyLock, OnceLock};

/// What wakes this kind of understanding.
pub(in crate::policy::understand) const WAKE: &str = r"\b(?:ignore|disregard|forget|override|bypass|overrule|neglect|dismiss|skip|discard|instead of following|stop following|do not follow|don't follow|ignora|ignorez|oubliez|ignoriere|vergiss|olvida|abaikan|lupakan)\b|\byou (?:are|will|must|have to|can) |\b(?:act|behave|respond|roleplay|role-play) as\b|\bpretend\b|\bimagine you\b|\bfrom now on\b|\bjailbreak|\bdeveloper mode\b|\bdo anything now\b|\bDAN\b|system prompt|system message|initial (?:prompt|instructions)|(?:your|the|above|hidden|original|previous|prior|secret|all) (?:instructions|prompts?|rules|guidelines|directives|programming|words)|\bim_(?:start|end|sep)\b|\[/?inst\]|<</?sys>>|\[/?system|### *(?:system|instruction|human|assistant)|</?(?:system|important|instructions?|secret|hidden|admin|assistant|user)>|<!--|\bdo not (?:tell|mention|inform|reveal|disclose|notify|show|let|alert)\b|\bdon't (?:tell|mention|inform|notify|let)\b|\bwithout (?:telling|informing|notifying|mentioning|the user)|\bbefore using (?:this|any)|\bendoftext\b|\bnew instructions?\b|\bsudo mode\b|\b(?:unrestricted|unfiltered|uncensored)\b|\bno (?:restrictions|rules|filters|limitations)\b|\byour (?:[a-z]+ ){0,2}(?:instructions|prompts?|rules|guidelines|directives|programming|task|restrictions)\b|\brepeat (?:everything|all)\b|\bapi keys?\b|\bcredentials\b|\bprivate keys?\b|\b(?:conversation|chat) history\b|\bpasswords?\b|\baccess tokens?\b|\bnever (?:tell|inform|mention|notify|reveal)\b|\bwithout any\b|\b(?:act|behave|respond) like\b|\byou have no\b|\b(?:system|admin|developer|priority|safety|root) override|\b(?:ethic|moral|safety|content)\w*[ -](?:guideline|protocol|filter|polic|constraint|restriction|safeguard|guardrail|feature|measure|training|rule|standard|programming|check)|\bnote to \w|\b(?:hidden|secret|system|admin|ai|llm|injected|assistant) (?:instruction|directive|note|command)|\bprompt\b|\b(?-i:DAN|STAN|AIM)\b|\bunethical\b|\bamoral\b|\bguardrails?\b|\bunleashed\b|\bevil\b|\beverything\b|\bfrom the (?:beginning|start)\b|\ball text\b|\bcall (?:this|the)\b|\bjailbroken\b|\bwithout (?:[a-z]+ )?(?:restriction|filter|censorship|guardrail|morality)|\brole of\b|\b(?:no|absolutely no|no content) (?:[a-z]+ )?restrictions\b|\bsecretly\b|\bexfiltrate\b|gpt\b|\bopenai\b|\blanguage model\b|\bimmoral\b|\bunlimited\b|\brefus(?:e|es|ed|al|ing)\b|\bnot bound by\b|\bnever apologi|\bapologi[sz]es\b|\btwo responses\b|\bin character\b|\bpersona\b|\bgod ?mode\b|developer_mode|\binsert divider\b|unfilter|unflit|\brestrictions\b|\blimitations\b|\billegal\b|\bhypothetical\b|\bcensor|\b(?:text|words|content|message)s? above\b|\bthe above\b|\b(?:were|was|are|have) you\b|\byou (?:were|have been) (?:given|told|instructed)\b|\bthis (?:entire|whole) conversation\b|\binitiali[sz]ation string\b|systemprompt|\bmy instructions\b|\binstructed to\b|\bnew (?:important|urgent)\b|\b(?:important|urgent|priority) new\b|\bforgot\b|\bif you are (?:told|asked)\b|\bset aside\b|\bpay no attention\b|\bsupersede|\bregardless of\b|\bno matter\b|\bignor(?:ar|iert|ieren|i|are|en|uj|er)\b|\boublie|\bolvid|\bdimentica|\bdesconsider|\besque|\bnegeer\b|\bvergeet\b|\bvergessen\b|\bzignoruj\b|\bmissachte|忽略|无视|無視|忘|игнорируй|абудь|무시|잊|промпт|инструкци|систем|系统|提示|指令|システム|시스템|systemprompt|systeemprompt|\binstrucciones\b|\bistruzioni\b|\binstruksi\b|\banweisungen\b|\bprompt|\byour config|\bsee above\b|\bevery (?:response|reply|answer|message) you\b|\b(?:silently|covertly|quietly)\b|\bbcc\b|\bcopy of (?:each|every)\b|\breceive a copy\b|_token\b|process\.env|\.npmrc|\bkeychain\b|\benvironment variables\b|~/\.|\.env\b|\binstructions\b|\bdecode\b|\bmust not (?:tell|mention|inform|reveal|disclose)\b|\bdo not report\b|\bne (?:mentionnez|parlez|dites)\b|\bpermanent rule\b|\bpersistent memory\b|\bfuture sessions\b|\bi will now\b|system_prompt|\bwithout (?:asking|consulting)\b|\bcollector\b|\bwebhook\b|\bnever (?:report|disclose)\b|\bin addition\b";

/// Ways to say one thing.
pub(super) struct Sayings {
    /// What they ask for.
    pub(super) signal: Signal,
    /// It is not weighed against signs that the text only speaks of such texts.
    pub(super) always: bool,
    text: String,
    regex: OnceLock<Option<Regex>>,
}

impl Sayings {
    /// The expression, compiled when first needed; `None` if it does not compile, which the tests exclude.
    pub(super) fn regex(&self) -> Option<&Regex> {
        let compile = || RegexBuilder::new(&self.text).case_insensitive(true).unicode(false).build().ok();
        self.regex.get_or_init(compile).as_ref()
    }
}

/// Which of [`SAYINGS`] stand in a text, found in one pass: one by one they take two hundred times as long. `None` if
/// that cannot be said; then every one is asked.
pub(super) fn standing_in(text: &[u8]) -> Option<SetMatches> {
    static SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
        let texts = SAYINGS.iter().map(|saying| &saying.text);
        RegexSetBuilder::new(texts).case_insensitive(true).unicode(false).build().ok()
    });
    SET.as_ref().map(|set| set.matches(text))
}

fn sayings(signal: Signal, always: bool, text: &str) -> Sayings {
    Sayings { signal, always, text: expression(text), regex: OnceLock::new() }
}

/// A saying as it is searched for.
pub(super) fn pattern(text: &str) -> Option<Regex> {
    RegexBuilder::new(&expression(text)).case_insensitive(true).unicode(false).build().ok()
}

/// Between two words may stand any space, and the marks of Markdown.
fn expression(text: &str) -> String {
    text.replace(" ?", r"[\s_*]*").replace(' ', r"[\s_*]+")
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
            PromptOverride,
            false,
            r"(?:^|[.!?;:,\n\[\](){}>\x22'*-] ?|\band |\bplease |\bnow |\bjust |\bmust )(?:ignore|disregard|forget|bypass|override|abandon) (?:all |any |every |the |your |my |these |those |those |this |of )*(?:system |safety |core |internal )?(?:instructions?|directives?|prompts?)(?:[.,;:!?]| ?$|\n| and | you | then | but | to (?:the )?contrary| i | from )",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:ignore|disregard|forget|bypass|override|disable|deactivate|suspend|drop|violate|turn off|switch off|remove|circumvent|without)(?:ed|s|ing)? (?:all |any |every |the |your |my |its |those |of |current |existing |built-in |internal ){0,4}(?:ethics?|ethical|moral|safety|content|alignment|openai|anthropic|harm)(?: and (?:ethical|moral|safety|legal|content))?[ -](?:guidelines?|protocols?|filters?|filtering|polic(?:y|ies)|constraints?|restrictions?|safeguards?|guardrails?|features?|measures?|checks?|training|rules|standards|norms|considerations?|limitations?|programming|mechanisms?|systems?)\b",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:safety|ethical|content|moral) (?:guidelines?|protocols?|filters?|polic(?:y|ies)|restrictions?|safeguards?|guardrails?|features?|measures?|training|rules|checks) (?:(?:has|have|had|is|are|was|were|will|being|been|all|now|temporarily|completely|permanently|fully|hereby) ){1,4}(?:suspended|disabled|removed|lifted|deactivated|off|turned off|bypassed|void|ignored|waived|never)\b",
        ),
        sayings(
            PromptOverride,
            false,
            r"(?:^|[\n.!?:*#>(\[{<\x22'-] ?)(?:system|admin|administrator|developer|priority|safety|instruction|emergency|root) override\b ?[:\]!.*>-]",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:ignore|disregard|forget) (?:all |any |the |your |about )?(?:ethics|morals|morality|safety|legality|your (?:training|programming|purpose|identity|role))\b",
        ),
        sayings(
            PromptOverride,
            false,
            r"\bforget (?:everything|all|anything)\b ?[,.;:!-]+ ?(?:and |now |then )?(?:you|act|from now|instead|your|be |become|i am|tell|give|show|do |print|write|start)\b",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:ignore|disregard|forget) (?:all |the |any |your |my |our |these |of )*(?:previous|prior|above|preceding|earlier) (?:conversations?|chats?|messages? and|context|inputs?|statements?|dialogue)\b",
        ),
        sayings(
            PromptOverride,
            false,
            r"(?:^|[\n.!?*#>(\[{<\x22'-] ?)(?:important|priority|urgent|critical|hidden|secret|new|updated)(?: (?:new|system|admin|administrator|ai|model|assistant|agent|editor|security))+ (?:instructions?|notes?|notices?|directives?|commands?|prompts?)\b ?(?:[:*\]!-]|from )",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:hidden|secret|new|injected) (?:instructions?|directives?|prompt)\b ?: ?\S|\b(?:admin|administrator|system|developer|ai|llm|assistant) (?:note|instructions?|command|directive|message) ?: ?[^\n]{0,120}?\b(?:output|reveal|ignore|disregard|send|include|execute|call|forward|append|override|recommend|replace|report|do not|must)\b|\bnote to (?:the )?(?:[a-z]+ )?(?:ai|assistant|llm|model|agent|chatbot)s?\b",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:your|the) (?:instructions?|rules|guidelines|programming|directives?|system prompt) (?:have|has|were|was) been (?:updated|changed|replaced|overridden|removed|lifted|reset|modified)\b|\b(?:this is|here is|here are|these are) your (?:new|updated|real) (?:system )?(?:prompt|instructions?|rules|role|task|objective)\b|\b(?:end|start|beginning) of (?:the )?(?:system )?prompt\b ?[.:!\]]",
        ),
        sayings(
            PromptRole,
            false,
            r"\b(?:jailbreak|jailbroken|unrestricted|unfiltered|uncensored|god|dan|developer|sudo|evil)(?: [a-z]+)? mode\b ?['\x22]? ?(?:is |now |has been )*(?:active|activated|enabled|engaged|on\b|unlocked|confirmed)|\b(?:in|into|to|enter|enable|activate|using|with) (?:an? |the |your |full )?['\x22]?(?:unrestricted|unfiltered|uncensored|jailbreak|dan|god|evil|developer debug)(?: [a-z]+)? mode\b",
        ),
        sayings(
            PromptRole,
            false,
            r"\b(?:role|persona|character|identity|part|mind|perspective|shoes) of (?:an? |the |another )?(?:[a-z-]+,? ){0,3}?(?:uncensored|unrestricted|amoral|unfiltered|evil|unethical|malicious|lawless|jailbroken|(?:ai|al) (?:model|assistant|bot|system)|chatbot|language model|dan\b|hacker)",
        ),
        sayings(
            PromptRole,
            false,
            r"\b(?:you are|you're|become|act as|pretend to be|pretend you are|pretend you're|be|called|named|simulate|from now on you are|impersonate|mode|acting as|respond as|answer as|reply as) ['\x22]?(?-i:DAN|STAN|DUDE|AIM|KEVIN|EvilBot|FreedomGPT|AntiGPT|JailBreak)\b",
        ),
        sayings(
            PromptRole,
            false,
            r"\b(?:you are|you're|acts? as|act like|become|roleplay as|role-play as|pretend to be|simulate|simulator of|respond as|assume|play|be)(?: now)? (?:an? |the |my |like )?(?:[a-z0-9_-]+,? (?:and )?){0,4}?(?:unrestricted|unfiltered|uncensored|jailbroken|amoral|unethical|lawless|completely unlimited|evil (?:ai|robot|bot|hacker|assistant)|unleashed|no[- ](?:limits|rules|restrictions))\b",
        ),
        sayings(
            PromptRole,
            false,
            r"\b(?:respond|answer|reply|comply|act|operate|behave|output|generate|help|assistant|ai|bot|model|mode|requests?|queries|questions?|everything)\b[^.\n]{0,60}?\b(?:without|with no|with absolutely no|has no|have no|free of|free from|ignoring|no longer bound by) (?:any |all |absolutely |further |its |your |the |of ){0,3}(?:(?:content|ethical|moral|safety|legal|usage|openai'?s?|censorship|ai) )?(?:restrictions?|guardrails?|censorship|ethical (?:programming|filtering|constraints?)|moral(?:ity|s)|filters?|inhibitions)\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:describe|quote|recall|extract|output|print|repeat|reveal|reproduce|paste|show|display|dump|leak|translate|summari[sz]e|encode|spell out|tell me|give me|list|provide|consider|what (?:is|was|are|were)) (?:[a-z0-9,'-]+ ){0,8}?(?:the |your |its |this )(?:[a-z]+ )?(?:complete |full |entire |exact |underlying )?(?:system|original|initial|hidden|internal|secret|developer|pre) ?-?(?:prompt|instructions?)\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:output|print|repeat|show|return|reveal|respond with|reply with|give me|write) (?:me )?(?:the |your )?(?:original|initial|hidden|system|full|own|first)? ?prompts?(?: below| above| verbatim| as| word|[.:!]? ?$)|\b(?:respond|reply|answer) with your (?:full |original |initial |system )*(?:prompt|instructions?)\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:print|show|repeat|output|display|give|tell|reveal|write)\b (?:me |us |out )?(?:everything|all(?: of)?(?: the| your)?(?: text| words| content| messages)?|the (?:text|words|content|entire conversation))(?: [a-z]+){0,3}? (?:above|before|prior to|preceding|from the (?:beginning|start|top)(?: of)?)(?: (?:this|the current|our) (?:line|message|point|sentence|conversation|prompt|chat|session|text)|[.:!]? ?$)",
        ),
        sayings(
            PromptHidden,
            false,
            r"\b(?:always|must|should|first|required to)\b[^.\n]{0,60}?\b(?:call|use|invoke|run) (?:this|the [a-z_]+|[a-z_]+) ?(?:tool |function )?(?:first|before)\b(?:.|\n){0,240}?\b(?:conversation|system prompt|context|credentials?|secrets?|api keys?|tokens?|passwords?|user messages|history|file contents?|\.ssh|\.env)\b",
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
            r"\b(?:do not|don't|never|without) (?:tell|mention|inform|telling|mentioning|informing|notify|notifying|alert|alerting|reveal|revealing|disclose|let) (?:this |it |that |about this |anything )?(?:to |about (?:this|it) )?(?:to )?(?:the |any )?(?:user|human|person|operator|owner)s?\b(?:.|\n){0,240}?\b(?:read|send|call|include|pass|access|forward|copy|file|tool|secret|key|password|credential|email|bcc|upload|instructions?)\b",
        ),
        sayings(
            PromptHidden,
            false,
            r"\b(?:read|send|call|include|pass|access|forward|copy|attach|upload|bcc)\b(?:.|\n){0,240}?\b(?:do not|don't|never|without) (?:tell|mention|inform|telling|mentioning|informing|notify|notifying|alert|alerting|reveal|revealing|disclose|disclosing|let)(?:ing)? (?:this |it |that |about this |anything )?(?:to )?(?:the |any )?(?:user|human|person|operator|owner)s?\b",
        ),
        sayings(
            PromptHidden,
            false,
            r"\b(?:before|whenever|when|prior to) (?:using|calling|invoking|running|you use|you call|executing) (?:this|any|the|other|another) (?:[a-z_]+ )?(?:tool|function)s?\b(?:.|\n){0,160}?\b(?:read|cat|open|fetch|access|load|send)\b(?:.|\n){0,80}?(?:\.ssh|\.env|id_rsa|\.aws|mcp\.json|credentials|/etc/|private key|api key|password|secret|token)",
        ),
        // What has more than one adjective nobody writes over an honest task.
        sayings(
            PromptOverride,
            false,
            r"(?:^|[\n.!?*#>(\[{<\x22'-] ?)(?:(?:new|important|urgent|critical|revised|updated|priority|emergency) ){2,}(?:instructions?|tasks?|directives?|orders?|rules?|commands?)\b|(?:^|[\n*#>(\[{<] ?)new (?:instructions?|directives?|rules?|system prompt) ?(?:[:*\]!]|\n)|\b(?:gave|given?|giving) you (?:your|the|my|those|wrong) instructions and (?:i )?forgot\b|\b(?:regardless of|no matter|in spite of|instead of|rather than) (?:any |all |your |the |following |what |of ){0,4}(?:previous|prior|earlier|original|initial|above) (?:inputs?|instructions?|prompts?|rules|directives?|guidelines)\b|\bif you are (?:told|asked|instructed) to (?:summari[sz]e|translate|answer|classify|review|process)\b[^.\n]{0,80}?\b(?:inste?ad|also|rather)\b",
        ),
        sayings(
            PromptOverride,
            false,
            r"\b(?:ignore|disregard|skip|forget|abandon) (?:the |this |that |your |my )?(?:[a-z]+ ){0,2}(?:task|analysis|classification|translation|summari[sz]ation|question|request|job)\b ?[.,;:!-]+ ?(?:and |please )?(?:instead|output|print|say|reply|respond|just|tell|write)\b|\b(?:forget|ignore|erase|delete|disregard) (?:everything|all|anything)\b[^.\n]{0,24}?\b(?:before (?:this|now)|from (?:before|chat ?gpt|your|open ?ai|this (?:chat|conversation))|you (?:have )?(?:been |ever )?(?:learn\w*|know|told|were)|to your core|about (?:being|your (?:rules|training|instructions)))\b|\b(?:ignore|disregard|forget|override|bypass|set aside|pay no attention to|do not (?:obey|follow|comply with)|don't (?:obey|follow|listen to)|no longer (?:follow|obey)|supersed\w+|replac\w+|overrid\w+|overwrit\w+|cancel|nullif\w+|void|throw away|drop) (?:[a-z'-]+ ){0,5}?(?:previous|prior|above|earlier|preceding|system|developer'?s?|original|initial|former|pre-?programmed|open ?ai'?s?) (?:[a-z]+ ){0,2}?(?:instructions?|prompts?|directives?|orders?|guidelines?|restrictions?|programming|constraints?)\b",
        ),
        // The other tongues that are written most: the verb, and that all or earlier instructions are meant.
        sayings(
            PromptOverride,
            false,
            r"\b(?:ignorier(?:e|en|t)|vergiss|vergessen|missachte\w*|ignor(?:e|ez|er|a|ad|ar|i|are|en|ieren|uj)|oublie[zr]?|olvid(?:a|e|ar|en)|omit(?:e|a)|dimentica\w*|trascura|desconsider(?:e|a)|esque.{1,2}a|negeer|vergeet|abaikan|lupakan|zignoruj|zapomnij)\b(?: [^\s.!?;:]{1,16}){0,4}? (?:anweisungen|instruktionen|vorgaben|befehle|systemprompt|consignes|instructions pr.{1,2}c.{1,2}dentes|directives pr.{1,2}c.{1,2}dentes|r.{1,2}gles|instrucciones|indicaciones|directrices|reglas|.{1,2}rdenes|istruzioni|direttive|regole|instru.{2,4}es anteriores|diretrizes|regras|ordens|instructies|opdrachten|aanwijzingen|regels|instruksi|perintah|aturan|polecenia|instrukcje)\b",
        ),
        sayings(
            PromptOverride,
            true,
            r"(?:忽略|无视|無視|忽視|忘记|忘掉|不要理会|不要遵循)[^\n]{0,40}?(?:指令|指示|提示|说明|規則|规则|命令|要求|内容)|(?:以前|前|上記|上|これまで|すべて|全て)の?[^\n]{0,24}?(?:指示|命令|ルール|プロンプト)[^\n]{0,16}?(?:無視|忘れ)|(?:игнорируй|проигнорируй|забудь|Игнорируй|Проигнорируй|Забудь|не следуй)[^\n.]{0,60}?(?:инструкци|указани|команд|правил)|(?:이전|위의|앞의|모든)[^\n.]{0,40}?(?:지시|명령|지침|프롬프트)[^\n.]{0,20}?(?:무시|잊)",
        ),
        sayings(
            PromptRole,
            false,
            r"\bgod ?mode\b[^\n.]{0,8}?(?:enabled|active|activated|engaged|is on)|\bdeveloper[\s_\\]*mode[\s\\]*(?::|=|is)? ?(?:enabled|on|active|activated)\b|\b(?:in|operating in|running in) developer mode (?:and|so|now|with|output)\b|\b(?:ethics?|safety|content|censorship|refusal|moral\w*|moderation|policy)[\s_-]*(?:filters?|restrictions?|mechanisms?|polic(?:y|ies)|protocols?|settings?|guidelines?|checks?|limits?)\]? ?[:=] ?\[?(?:disabled|none|off|null|removed|inactive|false)\b|\binsert divider\b|\bun(?:filter|flit|flit?er|restrict|censor)\w*ly\b|\bwith(?:out)? (?:your )?(?:refusal|safety) (?:mechanism|training|filter)",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:repeat|output|print|show|display|reveal|recite|list|share|give|tell|encode|translate|write|copy|quote|send|summari[sz]e|describe|what (?:are|were|is|was)) (?:[a-z0-9,'-]+ ){0,6}?(?:instructions?|text|words|rules|messages?|prompts?|guidelines|directives?|information|configuration) (?:that )?(?:you (?:were|have been|had been|received|got|was|are)|you've been|were you|i gave you|given to you|provided to you) ?(?:initially |originally |first |previously )?(?:given|told|provided|programmed|following|trained|set|at the|before|when|with|in|\.|\?|$)|\bwhat (?:were|was|are|have) you (?:been )?(?:initially |originally |first )?(?:told|instructed|programmed|prompted|not (?:supposed|allowed|permitted) to (?:tell|say|reveal|share|disclose))\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:repeat|output|print|show|display|copy|encode|translate|paste|reproduce|return|recite|put|write|rewrite|summari[sz]e|spell) (?:out |back |me )?(?:[a-z0-9]+ ){0,3}?(?:the )?(?:text|words|contents?|messages?|everything|sentences?|paragraphs?|conversation|instructions|prompt|lines?) (?:that is |that came |written |directly |immediately )?above\b|\b(?:repeat|output|print|show|encode|translate|paste|reproduce|recite|rewrite) the above (?:text|prompt|words|instructions|messages?|conversation)\b|\b(?:repeat|recite|return|output|print) (?:this|the|our) (?:entire|whole|full|complete) (?:conversation|chat|prompt)\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:output|print|repeat|reveal|show|display|dump|leak|translate|encode|share|recite|tell|give|see|know|view|read|provide|expose|disclose|extract|retrieve|copy|write|list|explain|describe|convert|rephrase|paraphrase|summari[sz]e|return|render|state|send|say|complete|continue|export|paste|what|which|opposite of|(?:sentence|line|word|part|beginning|start|contents?|text|version|summary|details|characters|letters) of)\b[^.\n?!'\x22\x60]{0,72}?\b(?:your|these|those|its) (?:[a-z]+,? ){0,2}?(?:starting|initial|original|first|initiali[sz]ation|system|hidden|secret|internal|base|core|pre|foundational|underlying|developer|operating|backend|confidential|current|exact|full) ?-?(?:prompts?|instructions?|text|messages?|configurations?|string|directives?|settings|rules|guidelines|context|parameters)\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\bmy (?:system |initial |original )?(?:instructions|prompt|system prompt) (?:are|were|is|was) ?:|\bi was instructed to ?['\x22:]|\bsystem prompt is ?: ?['\x22]|\b(?:console\.log|print|echo|return|alert|printf|puts|dump)[ (]\(? ?['\x22$]?(?:system|initial)_?(?:prompt|instructions|message)|\b(?:output|print|wrap|inside|in|within|return) <?/?(?:system_?prompt|system_?instructions)>|\binitiali[sz]ation string\b|\b(?:need|want|have|like|allowed|authori[sz]ed|entitled) to (?:see|know|view|read|verify|inspect|review|audit) (?:your|the) (?:full |complete |exact |current |entire )*(?:system prompt|system instructions?|initial prompt|system message)\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:repeat|output|print|show|display|copy|encode|translate|write|go line by line|put|recite|spell|say|return)\b[^.\n]{0,80}?\b(?:starting|beginning|starts|begins|start|begin) with ?['\x22\x60]?(?:you are|your role|you're)\b|\bshare your (?:current |full |complete |internal |system )?config(?:uration)?\b|\bwhat you (?:can )?see above\b|\b(?:editor'?s?|author'?s?|publisher'?s?) note ?: ?when (?:summari[sz]|translat|process|analy[sz])|\bevery (?:response|reply|answer|message) you (?:give|write|send|make|produce) must\b",
        ),
        sayings(
            PromptExfiltration,
            true,
            r"(?:покажи|выведи|повтори|раскрой|напиши|перечисли|назови|скажи|сообщи|предоставь|опиши|процитируй|переведи|Покажи|Выведи|Повтори|Раскрой|Напиши|Перечисли|Назови|Скажи|Сообщи|Предоставь|Опиши|Какие|какие|Каков|каков|Какой|какой)[^\n.]{0,80}?(?:системн[^\s]{1,6} (?:промпт|инструкци|сообщени|подсказк|запрос)|(?:твои|ваши|исходные|первоначальные|начальные|скрытые|свои|твой|ваш|свой) [^\n.]{0,32}?(?:инструкции|промпт|правила))|(?:输出|显示|告诉我|重复|打印|泄露|展示|说出|翻译|复述)[^\n]{0,40}?(?:系统提示|提示词|初始指令|系统指令|系统消息|你的指令|上面的内容|以上内容)|(?:システムプロンプト|初期指示|初期プロンプト)[^\n]{0,24}?(?:教え|表示|出力|見せ|繰り返)|(?:시스템 프롬프트|초기 지시)[^\n]{0,24}?(?:알려|출력|보여)",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:zeig\w*|gib|gebe|nenne?|wiederhole?|verrate?|drucke|montre\w*|r.{1,2}v.{1,2}le\w*|affiche\w*|r.{1,2}p.{1,2}te\w*|donne\w*|muestra\w*|revela\w*|repite\w*|imprime\w*|dime|dame|mostra\w*|rivela\w*|ripeti\w*|stampa|diga|repita|mostre|toon|herhaal|geef|onthul|tampilkan|ungkapkan|ulangi|cetak)\b[^\n.!?]{0,60}?\b(?:system[- ]?prompt|systeemprompt|prompt (?:del|do|di|du) (?:sistema|syst.{1,2}me)|prompt (?:syst.{1,2}me|sistem|awal|initial|inicial|iniziale|original)|(?:systemanweisung|systemnachricht|anfangsanweisung)\w*|(?:instrucciones|instructions|istruzioni|instru.{1,4}es|instruksi|indicaciones) (?:del sistema|do sistema|di sistema|syst.{1,2}me|sistem|initiales?|iniciais|iniciales|iniziali|originales|originais|originali|awal|ocultas|cach.{1,2}es|nascoste)|(?:urspr.{1,2}nglichen|anf.{1,2}nglichen|geheimen|internen) anweisungen)",
        ),
        // A tool's description that orders a copy to somebody else, or the reading of secrets, beside its work.
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:silently|secretly|covertly|quietly) (?:forward|send|post|cop(?:y|ies)|bcc|mirror|upload|append|include|read|attach|email|log|transmit|execute|add)|\b(?:add|include|bcc|cc|put)\w*\b[^.\n]{0,48}?@[\w.-]+\.[a-z]{2,}[^.\n]{0,32}?\bbcc\b|\bbcc\b[^\n]{0,64}?\b(?:always|must|every|each)\b[^\n]{0,48}?@[\w-]+\.|\b(?:always|must|every|each|compliance)\b[^\n]{0,64}?\bbcc\b[^\n]{0,64}?@[\w-]+\.|\bcopy of (?:each|every|the|all|any) (?:[a-z]+ ){1,4}?(?:must|is|will|should|shall)\b[^.\n]{0,32}?\b(?:sent|forwarded|posted|filed|mirrored|uploaded|delivered)\b|\b(?:must|should) always (?:receive a copy|be (?:included|copied|bcc))",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:also|first|additionally|for (?:caching|diagnostics|compliance|verification|security|context|accuracy|telemetry))\b[^\n]{0,48}?\b(?:reads?|collects?|fetch(?:es)?|access(?:es)?|gathers?|retrieves?|loads?|opens?)\b[^\n]{0,64}?(?:~/\.|/etc/(?:passwd|shadow)|\.env\b|\.npmrc|\.netrc|id_rsa|\.ssh|\bcredentials?\b|\bapi keys?\b|\benvironment variables\b|\bprocess\.env\b|_token\b|\bkeychain\b|\bprivate keys?\b|\bpasswords?\b)[^\n]{0,96}?\b(?:sends?|includes?|appends?|forwards?|posts?|pass(?:es)?|uploads?|attach(?:es)?|exfiltrates?|returns?)\b",
        ),
        sayings(
            PromptExfiltration,
            false,
            r"\b(?:fetch|download|retrieve|load|get|pull|read)\b[^.\n]{0,64}?https?://[^\s]{1,120} and (?:then )?(?:silently )?(?:follow|execute|obey|apply|run|do) |\b(?:fetch|download|retrieve|load|get) (?:the )?(?:latest |new |additional |further )?instructions from https?:|\bfollow (?:the|any|all) instructions (?:it contains|contained|inside|therein|found (?:there|in|at))|\bdecode (?:the following|this|it)\b[^.\n]{0,24}?\band (?:then )?(?:follow|execute|obey|run|do)\b",
        ),
        sayings(
            PromptHidden,
            false,
            r"\b(?:do not|don't|never|must not)\b (?:[a-z]+ )?(?:mention|tell|inform|reveal|disclose|report|notify|alert|show)\b[^.\n]{0,64}?\b(?:to )?the (?:end ?-?)?user\b[^.\n]{0,120}?\b(?:bcc|cop(?:y|ied)|mirror\w*|forward\w*|webhook|collector|endpoint|outbound|uploaded|posted|sent to|exfiltrat\w*)\b|\b(?:bcc|copy|mirror\w*|forward\w*|webhook|collector|copied|exfiltrat\w*)\b[^\n]{0,160}?\b(?:do not|don't|never|must not)\b (?:[a-z]+ )?(?:mention|tell|inform|reveal|disclose|report|notify|alert|show)\b[^.\n]{0,64}?\buser\b|\b(?:never|do not) (?:reveal|disclose|mention) (?:its|this|the) (?:[a-z']+ ){1,4}?to the user\b[^.\n]{0,12}?(?:at all costs|under any circumstances|$)|\bnever inform the user about\b|\bne (?:mentionnez|parlez|dites|r.{1,2}v.{1,2}lez) (?:pas|jamais|rien)\b[^.\n]{0,64}?utilisateur",
        ),
        sayings(
            PromptOverride,
            false,
            r"(?:^|[\n.!?>\]\x22'] ?)(?:system|assistant) ?: ?(?:you are now|i will now (?:reveal|comply|ignore)|ignore|disregard|override|from now)|\b(?:persistent memory|permanent rule|future sessions)\b[^\n]{0,80}?\b(?:always send|never (?:inform|tell|mention)|inherit|without asking)|\b(?:directives?|instructions?|notice|update|message|policy|order) supersedes?\b|\b(?:previous|prior|existing|earlier|current) (?:safety |security |system )?(?:instructions|guidelines|restrictions|rules|prompts|safeguards|directives) (?:are|is|were|have been|has been) (?:now |hereby |all )?(?:suspended|void|deprecated|disabled|lifted|cancell?ed|superseded|revoked|obsolete|nullified|overridden)\b|\bstop (?:the|this|your) (?:[a-z]+ ){0,2}?(?:analysis|task|translation|summar[a-z]+|review)\b ?[.,;:!-]+ ?(?:and )?instead\b|\b(?:very )?first instructions you (?:received|were given|got)\b",
        ),
        sayings(
            PromptHidden,
            false,
            r"\b(?:send|forward|post|email|upload)s?\b[^\n]{0,160}?\bwithout (?:asking|telling|informing|notifying|consulting|alerting|confirmation from) the (?:end ?-?)?user\b|\b(?:do not|don't|never) (?:report|mention|disclose|reveal) (?:the |this |that )?(?:execution|call|copy|upload|request|transfer|step|parameter|mirror|run) (?:parameter )?to the (?:end ?-?)?user\b|\b(?:additionally|in addition|also|always)[\s,]+(?:[a-z]+ )?(?:mirror|post|forward|copy|send|include)\b[^.\n]{0,80}?(?:\bcollector\b|\b(?:metrics|internal|external|analytics|third[- ]party|vendor'?s?) (?:webhook|endpoint|server|address)|\brequest to https?://)|<!--[^>]{0,80}?\byou (?:must|should|need to|have to)\b[^>]{0,80}?\b(?:read|send|include|call|execute|reveal)\b",
        ),
    ]
});
