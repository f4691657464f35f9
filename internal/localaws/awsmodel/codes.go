package awsmodel

// The statuses that a common error may come with. AWS's pages and its services disagree for some; then both are here, first what
// services are seen to answer.
//
// Sources: [E] Elastic Load Balancing API reference, Common Errors. [C] Common Errors as the newer services share them (AWS
// Management Console guide). [S] STS API reference, Common Errors, and what STS is seen to answer (aws/aws-sdk issues).
// [R] the codes that AWS's SDKs retry: aws-sdk-go-v2 aws/retry/standard.go, botocore data/_retry.json. [J] the error codes of AWS's
// JSON protocols (Smithy, AWS JSON 1.1 protocol; botocore tests). [V] "1 validation error detected: …", the framework's own refusal.
var commonCodes = map[string]map[string][]int{
	protocolQuery: {
		"AccessDenied":                {400, 403}, // not sourced, so Knobs.AccessDeniedIs400 chooses; [S]
		"AccessDeniedException":       {400, 403}, // [E]
		"ExpiredToken":                {403, 400}, // [S]
		"IncompleteSignature":         {403, 400}, // [E]
		"InternalFailure":             {500},      // [E]
		"InternalError":               {500},      // [R]
		"InvalidAction":               {400},      // [E]
		"InvalidClientTokenId":        {403},      // [E]
		"InvalidParameterCombination": {400},      // [E]
		"InvalidParameterValue":       {400},      // [E]
		"InvalidQueryParameter":       {400},      // [E]
		"MalformedInput":              {400},      // a value that does not parse as its type; [V]
		"MalformedQueryString":        {400, 404}, // [E]
		"MissingAction":               {400},      // [E]
		"MissingAuthenticationToken":  {403},      // [E]
		"MissingParameter":            {400},      // [E]
		"NotAuthorized":               {400, 401}, // [E], [C]
		"OptInRequired":               {403},      // [E]
		"RequestExpired":              {400},      // [E]
		"RequestLimitExceeded":        {503},      // [R]
		"ServiceUnavailable":          {503},      // [E]
		"SignatureDoesNotMatch":       {403},      // [S]
		"Throttling":                  {400},      // [R]
		"ThrottlingException":         {400},      // [E]
		"ValidationError":             {400},      // [E], [V]
	},
	protocolJSON: {
		"AccessDeniedException":        {400, 403}, // JSON services; [C]
		"ExpiredTokenException":        {400, 403}, // JSON services; [C]
		"IncompleteSignatureException": {400, 403}, // [C]
		"InternalFailure":              {500},      // [C]
		"InternalServerError":          {500},      // declared by all of SSM's operations
		"InvalidSignatureException":    {400, 403}, // [J]
		"MissingAuthenticationToken":   {400, 403}, // [J]
		"NotAuthorized":                {400, 401}, // [C]
		"OptInRequired":                {403},      // [C]
		"RequestExpired":               {400},      // [C]
		"SerializationException":       {400},      // a body that is not the JSON of the input; [J]
		"ServiceUnavailable":           {503},      // [C]
		"ThrottlingException":          {400},      // [C], [R]
		"UnknownOperationException":    {400, 404}, // [J], [C]
		"UnrecognizedClientException":  {400, 403}, // [C]
		"ValidationException":          {400},      // [C], [V]
	},
}
