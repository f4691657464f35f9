package localaws

import (
	"net/http"
	"net/url"
	"time"
)

// maxSkew is how far the signer's clock may be off («- 5 min.» in the texts below).
const maxSkew = 5 * time.Minute

// amzDate is the form of signing times.
const amzDate = "20060102T150405Z"

// signedAt is when a request was signed: version 4 by header or query string, version 2 by query string.
func signedAt(r *http.Request, form url.Values) time.Time {
	for _, given := range []struct{ layout, value string }{
		{amzDate, r.Header.Get("X-Amz-Date")}, {amzDate, form.Get("X-Amz-Date")}, {time.RFC3339, form.Get("Timestamp")},
	} {
		if t, err := time.Parse(given.layout, given.value); err == nil {
			return t
		}
	}
	return time.Time{}
}

// serverTime is what AWS's clock reads, which a fault may have set wrong. Called with c.mu held.
func (c *Cloud) serverTime() time.Time {
	off, _ := c.skew()
	return c.now().Add(off)
}

// checkSigningTime refuses what was signed too long ago, or in the future, while a fault has set AWS's clock wrong or
// Knobs.CheckSigningTime asks for it. Called with c.mu held.
func (c *Cloud) checkSigningTime(q *call) *apiError {
	if _, off := c.skew(); !off && !c.knobs.CheckSigningTime || q.signed.IsZero() {
		return nil
	}
	now := c.serverTime()
	if d := now.Sub(q.signed); d.Abs() <= maxSkew {
		return nil
	}
	return q.service.skewed(q.signed, now)
}

// skewed is how each protocol says that the signing time is off: EC2 as any wrong signature (aws-sdk-java issue 519), the
// others with both times (aws-sdk-js pull request 142, for ELB with HTTP 403; convox/rack issue 235).
func (s *service) skewed(signed, now time.Time) *apiError {
	if s.protocol == ec2Query {
		return refuseWith(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	}
	code, status := "SignatureDoesNotMatch", http.StatusForbidden
	if s.protocol == awsJSON {
		code, status = "InvalidSignatureException", http.StatusBadRequest
	}
	if signed.Before(now) {
		return refuseWith(status, code, "Signature expired: %s is now earlier than %s (%s - 5 min.)", signed.Format(amzDate),
			now.Add(-maxSkew).Format(amzDate), now.Format(amzDate))
	}
	return refuseWith(status, code, "Signature not yet current: %s is still later than %s (%s + 5 min.)", signed.Format(amzDate),
		now.Add(maxSkew).Format(amzDate), now.Format(amzDate))
}
