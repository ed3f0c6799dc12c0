from openclaw_rating import TokenBucket, OpenClawClient
# Initialize the OpenClaw client (API key stored in env var)
client = OpenClawClient(api_key=os.getenv("OPENCLAW_API_KEY"))
# Token bucket configuration
BUCKET_CAPACITY = 1000 # max tokens
REFILL_RATE_PER_HOUR = 1000 # tokens added each hour
bucket = TokenBucket(
client=client,
capacity=BUCKET_CAPACITY,
refill_rate=REFILL_RATE_PER_HOUR,
interval_seconds=3600 # 1 hour interval
)
