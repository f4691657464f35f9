// Package awsmodel judges answers by AWS's own description of its services.
//
// AWS publishes, for each service, a model from which its SDKs are generated: service-2.json, with every operation, the shape
// of its request and answer, each value of each enumeration, and the errors that it declares. The aws command line ships these
// files. A client that was generated from them reads nothing else than what they say, so an answer with a member that is not in
// them is an answer that AWS does not give.
//
// Open reads a folder of models; Service.Judge says what is wrong with one encoded answer, and where. What it holds an answer to:
//
//   - the envelope: the root element, its namespace, the result wrapper, the request id, the content type, the HTTP status;
//   - members: each is known, each that is required is there, none twice, none null, lists with the right element names;
//   - scalars: booleans, numbers, timestamps and enumerations read as what they are;
//   - errors: the exact envelope of the protocol, and for a service that declares errors a code that the operation declares, or
//     one that every operation of the protocol may answer (commonCodes), with its HTTP status.
//
// EC2 declares no errors, so of its errors only the envelope is judged. Lengths and patterns are not judged: AWS does not keep to
// its own.
//
// Service.Inputs lists what an operation may be asked, which is how a test finds out that no parameter is ignored.
package awsmodel
